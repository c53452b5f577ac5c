"""Calls under way, found by their number: while one is, no other is made to it."""

from shared.db.migrate import execute_script

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Add the index that the claim of a call asks."""
    execute_script(
        """CREATE INDEX dispatcher_delivery_calling ON dispatcher_delivery (address_hash)
               WHERE channel = 'voice' AND state IN ('sending', 'unknown')"""
    )


def downgrade() -> None:
    """Take it away."""
    execute_script("DROP INDEX dispatcher_delivery_calling")
