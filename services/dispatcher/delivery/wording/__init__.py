"""Owns: how a claimed delivery becomes words: language, notices, and the message for a provider.
Consumes: nothing.
Publishes: nothing."""
