"""Owns: bodies made to break, stall or fill whoever reads them.
Consumes: nothing.
Publishes: bombs, each with the statuses it may be answered with."""
