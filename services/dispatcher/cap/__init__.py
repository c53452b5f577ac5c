"""Owns: CAP 1.2 messages as partners post them: reading, grammar, rules, what was received.
Consumes: nothing from the bus; a message becomes an alert that waits for a person's approval.
Publishes: nothing itself; the alerts room speaks once somebody has approved."""
