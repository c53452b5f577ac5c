"""Every time a layer version was put in force; what a live alert is, and that it was refused."""

from shared.db.migrate import execute_script

revision = "0006"
down_revision = "0005"
branch_labels = None
depends_on = None

# The column alone knows the last time, and what was in force before it is asked for years later.
# A trigger writes them: so does the release of before, which runs beside this one for a while.
ACTIVATIONS = """
CREATE TABLE geofence_layer_activation (
    layer_id uuid NOT NULL REFERENCES geofence_layer ON DELETE CASCADE,
    activated_at timestamptz NOT NULL,
    PRIMARY KEY (layer_id, activated_at)
);

-- A version was put in force when it came in, unless it came in for a day that had passed.
INSERT INTO geofence_layer_activation (layer_id, activated_at)
SELECT layer_id, activated_at FROM geofence_layer
 UNION
SELECT layer_id, imported_at FROM geofence_layer
 WHERE valid_from >= (imported_at AT TIME ZONE 'America/New_York')::date;

CREATE FUNCTION geofence_note_activation() RETURNS trigger LANGUAGE plpgsql AS $body$
BEGIN
    INSERT INTO geofence_layer_activation (layer_id, activated_at)
    VALUES (NEW.layer_id, NEW.activated_at) ON CONFLICT DO NOTHING;
    RETURN NULL;
END $body$;

CREATE TRIGGER geofence_layer_activated AFTER INSERT OR UPDATE OF activated_at ON geofence_layer
    FOR EACH ROW EXECUTE FUNCTION geofence_note_activation();
"""

# Refused and ended are two things: an end must not hide that an alert was refused before it.
# When the older ones were refused nobody knows; then they covered nothing from their beginning.
ALERTS = """
ALTER TABLE geofence_live_alert
    ADD COLUMN status text NOT NULL DEFAULT 'Actual'
        CHECK (status IN ('Actual', 'Exercise', 'Test', 'System')),
    ADD COLUMN refused_at timestamptz,
    ADD COLUMN refused_for text,
    ADD CHECK ((refused_at IS NULL) = (refused_for IS NULL));
UPDATE geofence_live_alert
   SET refused_at = registered_at, refused_for = end_reason, end_reason = NULL
 WHERE ended_at IS NULL AND end_reason IS NOT NULL;
"""

BACK = """
UPDATE geofence_live_alert SET end_reason = refused_for
 WHERE ended_at IS NULL AND refused_for IS NOT NULL;
ALTER TABLE geofence_live_alert
    DROP COLUMN status, DROP COLUMN refused_at, DROP COLUMN refused_for;
DROP TRIGGER geofence_layer_activated ON geofence_layer;
DROP FUNCTION geofence_note_activation;
DROP TABLE geofence_layer_activation;
"""


def upgrade() -> None:
    """Make the table of activations and the columns."""
    execute_script(ACTIVATIONS)
    execute_script(ALERTS)


def downgrade() -> None:
    """Keep only the last activation of each version, and refusals where ends are written."""
    execute_script(BACK)
