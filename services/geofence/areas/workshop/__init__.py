"""Owns the processes apart in which geometry from outside is worked on, within a time each.
Consumes jobs: a request for an area and the geometry of what it names.
Publishes nothing; gives back one geometry or a refusal."""
