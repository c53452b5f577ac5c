"""Owns: taking deliveries for one process to send; calls to one number one after the other.
Consumes: nothing.
Publishes: nothing."""
