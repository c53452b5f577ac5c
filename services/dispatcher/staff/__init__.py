"""Owns: partners and their keys, who may do what for which town, the brake on pages.
Consumes: nothing.
Publishes: notice.requested (a page for the person on duty)."""
