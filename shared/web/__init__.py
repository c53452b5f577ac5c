"""Owns: how HTTP is spoken: strict JSON in, problem+json out, who may, how often, and once only.

Consumes: requests. Publishes: nothing.
"""
