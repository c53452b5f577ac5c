"""Owns: residents, their versions, contact points and places, and who was erased.
Consumes: nothing.
Publishes: subscriber.place.changed, subscriber.contact.changed (always the whole state)."""
