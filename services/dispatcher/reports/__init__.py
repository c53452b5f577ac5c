"""Owns: nothing; counts what the rooms below have written about an alert.
Consumes: nothing.
Publishes: nothing."""
