"""Owns: what residents text, press and click, and what providers report of their addresses.
Consumes: inbound.received, contact.reported.
Publishes: notice.requested (opted_out, help); rosters through the room roster."""
