"""Owns how far an approved alert is: told from the rows of its broadcast, runs and deliveries.
Consumes nothing.
Publishes nothing."""
