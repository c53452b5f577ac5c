"""Partners guarded by row-level security, as every row that carries a town."""

from shared.db.migrate import execute_script

revision = "0004"
down_revision = "0003"
branch_labels = None
depends_on = None

GUARD = """
ALTER TABLE dispatcher_partner ENABLE ROW LEVEL SECURITY;
ALTER TABLE dispatcher_partner FORCE ROW LEVEL SECURITY;
CREATE POLICY of_town ON dispatcher_partner
    USING (current_setting('ctalert.town', true) IN ('*', town))
    WITH CHECK (current_setting('ctalert.town', true) IN ('*', town));
"""


def upgrade() -> None:
    """Guard the table: rows of one town carry it and are guarded by row-level security."""
    execute_script(GUARD)


def downgrade() -> None:
    """Take the guard away."""
    execute_script(
        """DROP POLICY of_town ON dispatcher_partner;
           ALTER TABLE dispatcher_partner NO FORCE ROW LEVEL SECURITY;
           ALTER TABLE dispatcher_partner DISABLE ROW LEVEL SECURITY"""
    )
