"""Owns: stand-ins for the providers (Twilio-shaped SMS and voice, an SMTP sink) and their ledger.

Consumes: what the dispatcher's providers send. Publishes: signed status callbacks and webhooks.
"""
