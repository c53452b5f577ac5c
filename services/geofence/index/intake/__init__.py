"""Owns how changes come into the index: read from the bus, found by id, held until sorted in.
Consumes records of the roster topic.
Publishes nothing."""
