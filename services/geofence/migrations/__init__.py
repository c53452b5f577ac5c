"""The geofence database's schema, one file a step."""
