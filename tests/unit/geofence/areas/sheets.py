"""A layer version that tests draw sheets of."""

import uuid

from services.geofence.layers.kinds import Layer

LAYER = Layer(
    layer_id=uuid.UUID(int=1), kind="town", version=1, digest="", features=6, imported_at="",
    activated_at="", valid_from="", current=True, source_format="geojson", source_crs="",
    source_layer="", warnings=(),
)  # fmt: skip
