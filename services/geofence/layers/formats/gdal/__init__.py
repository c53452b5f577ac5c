"""Owns what is read with GDAL: zipped Shapefiles and GeoPackages, of which nothing is corrected.
Consumes archives and SQLite files.
Publishes nothing."""
