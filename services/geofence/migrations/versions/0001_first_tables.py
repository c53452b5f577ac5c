"""Layers, where residents are, live alerts and their runs, roster offsets, outbox."""

from alembic import op

from shared.bus.outbox import outbox_ddl
from shared.db.migrate import execute_script

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None

TABLES = """
CREATE TABLE geofence_layer (
    layer_id uuid PRIMARY KEY,
    kind text NOT NULL,
    version integer NOT NULL,
    digest bytea NOT NULL CHECK (octet_length(digest) = 32),
    code_field text NOT NULL,
    name_field text NOT NULL,
    features integer NOT NULL,
    imported_at timestamptz NOT NULL DEFAULT now(),
    activated_at timestamptz NOT NULL DEFAULT clock_timestamp(),
    UNIQUE (kind, version),
    UNIQUE (kind, digest, code_field, name_field)
);
CREATE INDEX geofence_layer_current ON geofence_layer (kind, activated_at DESC);

CREATE TABLE geofence_feature (
    layer_id uuid NOT NULL REFERENCES geofence_layer ON DELETE CASCADE,
    code text NOT NULL,
    name text NOT NULL,
    wkb bytea NOT NULL,
    PRIMARY KEY (layer_id, code)
);
CREATE INDEX geofence_feature_name ON geofence_feature (layer_id, lower(name));

-- Erased residents stay for ever, as an id and a version without anything personal.
CREATE TABLE geofence_resident (
    subscriber_id uuid PRIMARY KEY,
    version bigint NOT NULL,
    erased boolean NOT NULL,
    channels smallint NOT NULL CHECK (channels BETWEEN 0 AND 7),
    language text NOT NULL,
    severity_floor text NOT NULL,
    emergency_only boolean NOT NULL,
    changed_at timestamptz NOT NULL
);

CREATE TABLE geofence_place (
    subscriber_id uuid NOT NULL REFERENCES geofence_resident,
    place_id uuid NOT NULL,
    lon float8 NOT NULL CHECK (lon BETWEEN -180 AND 180),
    lat float8 NOT NULL CHECK (lat BETWEEN -90 AND 90),
    uncertainty_m float8 NOT NULL CHECK (uncertainty_m BETWEEN 0 AND 100000),
    PRIMARY KEY (subscriber_id, place_id)
);

CREATE TABLE geofence_roster_offset (
    topic_id text NOT NULL,
    partition integer NOT NULL,
    next_offset bigint NOT NULL,
    updated_at timestamptz NOT NULL,
    PRIMARY KEY (topic_id, partition)
);

-- An end may come before its beginning: such a row has no area and keeps the alert ended.
CREATE TABLE geofence_live_alert (
    alert_id uuid NOT NULL,
    version bigint NOT NULL,
    area_wkb bytea,
    area_digest bytea CHECK (octet_length(area_digest) = 32),
    expires_at timestamptz,
    registered_at timestamptz,
    ended_at timestamptz,
    end_reason text,
    PRIMARY KEY (alert_id, version),
    CHECK (ended_at IS NOT NULL
           OR (area_wkb IS NOT NULL AND area_digest IS NOT NULL
               AND expires_at IS NOT NULL AND registered_at IS NOT NULL))
);
CREATE INDEX geofence_live_alert_live ON geofence_live_alert (expires_at) WHERE ended_at IS NULL;

CREATE TABLE geofence_late_joiner (
    alert_id uuid NOT NULL,
    version bigint NOT NULL,
    subscriber_id uuid NOT NULL,
    joined_at timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (alert_id, version, subscriber_id),
    FOREIGN KEY (alert_id, version) REFERENCES geofence_live_alert
);

-- What each run saw and published, kept for the audit of who was warned and why.
CREATE TABLE geofence_run (
    run_id uuid PRIMARY KEY,
    alert_id uuid NOT NULL,
    version bigint NOT NULL,
    started_at timestamptz NOT NULL DEFAULT now(),
    completed_at timestamptz,
    went_early boolean,
    chunks integer,
    members integer,
    roster_topic_id text,
    roster_offsets jsonb,
    FOREIGN KEY (alert_id, version) REFERENCES geofence_live_alert
);
CREATE INDEX geofence_run_alert ON geofence_run (alert_id, version);
"""


def upgrade() -> None:
    """Make the tables."""
    execute_script(TABLES)
    for statement in outbox_ddl("geofence"):
        op.execute(statement)
