"""Owns the address points of the state, versioned like every layer.
Consumes files of address points.
Publishes nothing."""
