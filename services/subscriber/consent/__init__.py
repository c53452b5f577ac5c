"""Owns: the history of consent, only ever added to, and addresses that want to be left alone.
Consumes: nothing.
Publishes: nothing."""
