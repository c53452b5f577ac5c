"""Owns: every line that knows aiokafka: the connection, producers, group-less readers.

Consumes: a bootstrap address. Publishes: what it is given.
"""

from shared.bus.kafka.bus import Bus

__all__ = ["Bus"]
