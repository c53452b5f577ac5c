"""What hangs on an alert, a delivery or a partner, guarded by row-level security as they are."""

from shared.db.migrate import execute_script

revision = "0005"
down_revision = "0004"
branch_labels = None
depends_on = None

# As sub-selects that name nothing of the row, the setting and the list are read once a statement,
# and the list only where the transaction is a town's; the newest alert, which is asked about most,
# is compared first. A sub-select for each row (EXISTS, IN) is charged at every probe of an index:
# the planner then read 200,000 deliveries to claim 200. That hardly anything IS NULL is its guess
# where it knows nothing, so the plans stay those of tables without a guard.
TOWN = "(SELECT current_setting('ctalert.town', true))"
OF_ALL_TOWNS = "(SELECT current_setting('ctalert.town', true) = '*')"
GUARDED = """CASE
    WHEN {every} THEN true
    WHEN {key} = ANY (ARRAY(SELECT own.{key} FROM {parent} AS own WHERE own.town = {town}
                             ORDER BY own.created_at DESC)) THEN true END IS NOT NULL"""
GIVEN = {"every": OF_ALL_TOWNS, "town": TOWN}
BY_ALERT = GUARDED.format(key="alert_id", parent="dispatcher_alert", **GIVEN)
BY_PARTNER = GUARDED.format(key="partner_id", parent="dispatcher_partner", **GIVEN)

# A CAP message is written before its alert: its partner says whose it is. What belongs to
# deliveries no town's transaction reads. In the order in which a fan-out comes to them.
GUARDS = {
    "dispatcher_chunk": BY_ALERT,
    "dispatcher_member": BY_ALERT,
    "dispatcher_exclusion": BY_ALERT,
    "dispatcher_delivery": BY_ALERT,
    "dispatcher_delivery_member": OF_ALL_TOWNS,
    "dispatcher_attempt": OF_ALL_TOWNS,
    "dispatcher_receipt": OF_ALL_TOWNS,
    "dispatcher_run": BY_ALERT,
    "dispatcher_cap_message": BY_PARTNER,
}

# All at once, before anything is changed of one of them.
LOCK = f"LOCK TABLE {', '.join(GUARDS)} IN ACCESS EXCLUSIVE MODE"

GUARD = """
ALTER TABLE {table} ENABLE ROW LEVEL SECURITY;
ALTER TABLE {table} FORCE ROW LEVEL SECURITY;
CREATE POLICY of_town ON {table} USING ({seen}) WITH CHECK ({seen});
"""

UNGUARD = """
DROP POLICY of_town ON {table};
ALTER TABLE {table} NO FORCE ROW LEVEL SECURITY;
ALTER TABLE {table} DISABLE ROW LEVEL SECURITY;
"""


def upgrade() -> None:
    """Guard the tables without a column more: whose a row is, its alert or partner says."""
    execute_script(LOCK)
    for table, seen in GUARDS.items():
        execute_script(GUARD.format(table=table, seen=seen))


def downgrade() -> None:
    """Take the guards away."""
    execute_script(LOCK)
    for table in GUARDS:
        execute_script(UNGUARD.format(table=table))
