"""Owns: how to speak to each provider, and what its codes mean; knows nothing of retries.
Consumes: nothing.
Publishes: nothing."""
