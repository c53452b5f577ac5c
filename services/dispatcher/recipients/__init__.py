"""Owns: the audience: runs, members, exclusions, and which delivery serves whom.
Consumes: audience.resolved, audience.completed, audience.refused, subscriber.contact.changed.
Publishes: delivery.* (through the delivery room)."""
