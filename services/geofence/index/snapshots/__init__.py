"""Owns the index on disk: written now and then, opened at the start if it can be trusted.
Consumes the index.
Publishes nothing."""
