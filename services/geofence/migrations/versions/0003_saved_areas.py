"""Saved areas and their versions; request keys and rate counters of the geofence."""

from shared.db.migrate import execute_script
from shared.web.idempotency import idempotency_ddl
from shared.web.limits import rate_ddl

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None

TABLES = """
-- Archived, never deleted: an alert may name a version for as long as alerts are kept.
CREATE TABLE geofence_saved_area (
    saved_area_id uuid PRIMARY KEY,
    town text NOT NULL CHECK (town <> ''),
    name text NOT NULL,
    shared boolean NOT NULL,
    newest integer NOT NULL,
    created_at timestamptz NOT NULL DEFAULT now(),
    created_by text NOT NULL,
    archived_at timestamptz
);
CREATE UNIQUE INDEX geofence_saved_area_name
    ON geofence_saved_area (town, lower(name)) WHERE archived_at IS NULL;

CREATE TABLE geofence_saved_area_version (
    saved_area_id uuid NOT NULL REFERENCES geofence_saved_area,
    version integer NOT NULL,
    town text NOT NULL,
    request jsonb NOT NULL,
    wkb bytea NOT NULL,
    digest bytea NOT NULL CHECK (octet_length(digest) = 32),
    layer_versions jsonb NOT NULL,
    area_km2 float8 NOT NULL,
    vertices integer NOT NULL,
    created_at timestamptz NOT NULL DEFAULT now(),
    created_by text NOT NULL,
    PRIMARY KEY (saved_area_id, version)
);
"""

# A town sees its own areas and those that others share; it writes its own alone. A version can
# be read and added: without a policy for it, nobody can change or delete one.
GUARDS = """
ALTER TABLE geofence_saved_area ENABLE ROW LEVEL SECURITY;
ALTER TABLE geofence_saved_area FORCE ROW LEVEL SECURITY;
CREATE POLICY seen ON geofence_saved_area FOR SELECT
    USING (current_setting('ctalert.town', true) IN ('*', town)
           OR (shared AND current_setting('ctalert.town', true) <> ''));
CREATE POLICY made ON geofence_saved_area FOR INSERT
    WITH CHECK (current_setting('ctalert.town', true) IN ('*', town));
CREATE POLICY changed ON geofence_saved_area FOR UPDATE
    USING (current_setting('ctalert.town', true) IN ('*', town))
    WITH CHECK (current_setting('ctalert.town', true) IN ('*', town));

ALTER TABLE geofence_saved_area_version ENABLE ROW LEVEL SECURITY;
ALTER TABLE geofence_saved_area_version FORCE ROW LEVEL SECURITY;
CREATE POLICY seen ON geofence_saved_area_version FOR SELECT
    USING (current_setting('ctalert.town', true) IN ('*', town)
           OR EXISTS (SELECT 1 FROM geofence_saved_area AS own
                       WHERE own.saved_area_id = geofence_saved_area_version.saved_area_id));
CREATE POLICY made ON geofence_saved_area_version FOR INSERT
    WITH CHECK (current_setting('ctalert.town', true) IN ('*', town));
"""


def upgrade() -> None:
    """Make the tables; row-level security guards what belongs to a town."""
    execute_script(TABLES)
    execute_script(GUARDS)
    for ddl in (idempotency_ddl, rate_ddl):
        for statement in ddl("geofence"):
            execute_script(statement)
