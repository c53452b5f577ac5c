"""Owns the grammar of areas: what a caller may write, its caps, and the polygons it stands for.
Consumes layers, for shapes that name features or geocodes.
Publishes nothing; compose unites what comes out."""
