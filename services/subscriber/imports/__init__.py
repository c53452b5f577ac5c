"""Owns: batches of residents taken in from other sources.
Consumes: nothing.
Publishes: nothing by itself; the room roster does."""
