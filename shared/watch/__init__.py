"""Owns: how a process is seen from outside: logs, metrics, health, traces, heartbeat, failpoints.

Consumes: nothing. Publishes: service.heartbeat, by the callable it is given.
"""
