"""Calls found by their number: after one of which nobody knows, no other is made at once."""

from shared.db.migrate import execute_script

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Add the index that the claim of a call asks."""
    execute_script(
        """CREATE INDEX dispatcher_delivery_calls
               ON dispatcher_delivery (address_hash, created_at) WHERE channel = 'voice'"""
    )


def downgrade() -> None:
    """Take it away."""
    execute_script("DROP INDEX dispatcher_delivery_calls")
