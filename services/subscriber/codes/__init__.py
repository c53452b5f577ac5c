"""Owns: one-time codes that prove an address is the resident's own.
Consumes: nothing.
Publishes: notice.requested (confirm_code)."""
