"""Owns what may be saved: an area that lies in the jurisdiction it is to belong to.
Consumes composed areas and saved ones.
Publishes nothing."""
