"""Owns the geometry of cells: which an area covers or touches, and who of a touched cell is in.
Consumes polygons and columns of places.
Publishes nothing."""
