"""Owns outlines: areas drawn with few vertices for feeds and carriers, nobody left out.
Consumes areas.
Publishes nothing; recipients are never chosen by an outline."""
