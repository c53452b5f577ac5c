"""Owns: contact cards (sealed addresses, language, preferences) and the suppression list.
Consumes: subscriber.contact.changed.
Publishes: nothing."""
