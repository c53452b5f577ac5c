"""Layers of any format: dates, sources, address points."""

from shared.db.migrate import execute_script

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None

TABLES = """
ALTER TABLE geofence_layer
    ADD COLUMN valid_from date,
    ADD COLUMN source_format text NOT NULL DEFAULT 'geojson',
    ADD COLUMN source_crs text NOT NULL DEFAULT 'OGC:CRS84',
    ADD COLUMN source_layer text NOT NULL DEFAULT '',
    ADD COLUMN warnings jsonb NOT NULL DEFAULT '[]',
    DROP CONSTRAINT geofence_layer_kind_digest_code_field_name_field_key;
UPDATE geofence_layer SET valid_from = (imported_at AT TIME ZONE 'America/New_York')::date;
ALTER TABLE geofence_layer
    ALTER COLUMN valid_from SET NOT NULL,
    ADD UNIQUE (kind, digest, code_field, name_field, source_layer, valid_from);

-- Street and town as find_addresses compares them; as the file gave them in street_given.
CREATE TABLE geofence_address (
    layer_id uuid NOT NULL REFERENCES geofence_layer ON DELETE CASCADE,
    street text NOT NULL,
    number text NOT NULL,
    town text NOT NULL,
    unit text NOT NULL,
    postal text NOT NULL,
    street_given text NOT NULL,
    town_given text NOT NULL,
    lon float8 NOT NULL CHECK (lon BETWEEN -180 AND 180),
    lat float8 NOT NULL CHECK (lat BETWEEN -90 AND 90)
);
CREATE INDEX geofence_address_street ON geofence_address (layer_id, street, number);
"""


def upgrade() -> None:
    """Make the tables."""
    execute_script(TABLES)
