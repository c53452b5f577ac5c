"""Owns: what the geofence is measured with: make-believe places, areas of every size, peers.
Consumes: the towns of Connecticut and, where a folder is given, their real boundaries.
Publishes: counts and seconds of each peer for the same areas over the same places."""
