"""Owns GIS layers: named features of one kind, versioned and dated, and their lookup.
Consumes GeoJSON files in longitude and latitude WGS 84.
Publishes nothing."""
