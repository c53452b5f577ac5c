"""The end of the roster at which each live alert was registered."""

from shared.db.migrate import execute_script

revision = "0005"
down_revision = "0004"
branch_labels = None
depends_on = None

# Read before the registration: every run of the alert sees what lies before it, so that nobody
# joins late by such a change. Without them whoever is kept later joins late.
COLUMNS = """
ALTER TABLE geofence_live_alert
    ADD COLUMN roster_topic_id text,
    ADD COLUMN roster_offsets jsonb;
"""


def upgrade() -> None:
    """Make the columns."""
    execute_script(COLUMNS)
