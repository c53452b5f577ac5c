"""Owns who is to be warned: live alerts, runs that resolve them, late joiners until they end.
Consumes alert.approved, alert.ended and, as a group, subscriber.place.changed.
Publishes audience.resolved, audience.completed and audience.refused."""
