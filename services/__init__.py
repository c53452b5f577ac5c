"""The three services; they never import one another."""
