"""Owns saved areas: named by a jurisdiction, versioned, never changed once written.
Consumes composed areas.
Publishes nothing."""
