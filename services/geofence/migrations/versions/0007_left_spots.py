"""Places that residents have left a short while ago; when and as what alerts were approved."""

from shared.db.migrate import execute_script

revision = "0007"
down_revision = "0006"
branch_labels = None
depends_on = None

# Who is inside at the approval of an alert may have left before it is registered. A place of
# which nobody knows since when it is one has been one for long.
TABLES = """
ALTER TABLE geofence_place ADD COLUMN since timestamptz;
ALTER TABLE geofence_live_alert
    ADD COLUMN approved_at timestamptz, ADD COLUMN nobody_yet boolean NOT NULL DEFAULT false;

CREATE TABLE geofence_left_spot (
    subscriber_id uuid NOT NULL,
    version bigint NOT NULL,
    place_id uuid NOT NULL,
    lon float8 NOT NULL CHECK (lon BETWEEN -180 AND 180),
    lat float8 NOT NULL CHECK (lat BETWEEN -90 AND 90),
    uncertainty_m float8 NOT NULL CHECK (uncertainty_m BETWEEN 0 AND 100000),
    since timestamptz,
    left_at timestamptz NOT NULL,
    PRIMARY KEY (subscriber_id, version, place_id)
);
CREATE INDEX geofence_left_spot_left ON geofence_left_spot (left_at);
"""

BACK = """
DROP TABLE geofence_left_spot;
ALTER TABLE geofence_live_alert DROP COLUMN approved_at, DROP COLUMN nobody_yet;
ALTER TABLE geofence_place DROP COLUMN since;
"""


def upgrade() -> None:
    """Make the table and the columns."""
    execute_script(TABLES)


def downgrade() -> None:
    """Forget who left, and since when places are places."""
    execute_script(BACK)
