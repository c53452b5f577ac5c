"""Owns: what else could count the places in an area: PostGIS, DuckDB, Tile38, shapely, a mask.
Consumes: places and areas.
Publishes: what counts, or one sentence why it is not to be had on this machine."""
