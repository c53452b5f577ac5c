"""The geofence service: GIS layers, where residents are, and who is inside an area."""
