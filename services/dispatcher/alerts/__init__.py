"""Owns: alerts, from the first draft to the last state: what is said, by whom, where.
Consumes: nothing from the bus; reads how far fan-out and deliveries of its alerts have come.
Publishes: alert.approved, alert.ended."""
