"""Owns: broadcasts (an alert version's texts, to be delivered), notices and chunks.
Consumes: nothing.
Publishes: nothing."""
