"""Owns: what providers and residents tell us: receipts, inbound texts and keys, look-ups.
Consumes: receipt.received.
Publishes: receipt.received, inbound.received, contact.reported."""
