"""Owns how address points stand in files, and how streets are written alike.
Consumes rows of CSV, GeoJSON, GeoPackage and Shapefile.
Publishes nothing."""
