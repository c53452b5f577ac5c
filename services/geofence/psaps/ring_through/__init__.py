"""Owns the tests that numbers of 9-1-1 centres ring straight through, and what they add up to.
Consumes the directory and the psap layer.
Publishes nothing."""
