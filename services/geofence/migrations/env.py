"""Runs the geofence's migrations."""

from shared.db.migrate import run

run("geofence")
