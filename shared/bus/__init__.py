"""Owns: the way of events: topics on the broker, outbox and relay, workers, dead letters, tails.

Consumes: whatever a handler is given for. Publishes: what services put, and TOPIC.dead.
"""
