"""Owns the reading of boundary and address files of every format, strictly and in a sandbox.
Consumes bytes: GeoJSON, zipped Shapefile, GeoPackage, KML and KMZ, and CSV for addresses.
Publishes nothing."""
