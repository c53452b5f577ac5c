"""Owns the area of an alert: asked of the geofence, verified, kept, held, or put in by a person.
Consumes the geofence's signed answers.
Publishes nothing."""
