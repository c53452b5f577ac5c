"""Alerts whose area is held for a person, and who gave it one."""

from shared.db.migrate import execute_script

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None

COLUMNS = """
-- `area_received` is the area as it came first, kept beside the one a person put in its place.
ALTER TABLE dispatcher_alert
    ADD COLUMN area_hold text,
    ADD COLUMN held_codes text[] NOT NULL DEFAULT '{}',
    ADD COLUMN area_received jsonb,
    ADD COLUMN area_set_by text,
    ADD COLUMN area_set_at timestamptz,
    ADD CONSTRAINT dispatcher_alert_held CHECK (
        area_hold IS NULL OR (area_digest IS NULL AND state IN ('draft', 'lapsed', 'expired'))),
    ADD CONSTRAINT dispatcher_alert_area CHECK (
        state NOT IN ('pending_approval', 'approved', 'dispatching', 'sent')
        OR (octet_length(area_wkb) > 0 AND area_digest <> '' AND expected_people >= 0) IS TRUE);
"""


def upgrade() -> None:
    """Add the columns; without an area no alert is submitted, whoever writes the row (S05)."""
    execute_script(COLUMNS)


def downgrade() -> None:
    """Take the columns away, and with them what they say of alerts that were held."""
    execute_script(
        """ALTER TABLE dispatcher_alert
               DROP CONSTRAINT dispatcher_alert_held,
               DROP CONSTRAINT dispatcher_alert_area, DROP COLUMN area_hold,
               DROP COLUMN held_codes, DROP COLUMN area_received, DROP COLUMN area_set_by,
               DROP COLUMN area_set_at"""
    )
