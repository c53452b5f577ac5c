"""Every SQL statement on import batches."""

from shared.db.session import Tx, execute


async def open_batch(tx: Tx, *, batch: str, source: str) -> None:
    """Make a batch unless it is there."""
    await execute(
        tx,
        """INSERT INTO subscriber_import_batch (batch, source) VALUES (:batch, :source)
           ON CONFLICT (batch) DO NOTHING""",
        batch=batch,
        source=source,
    )


async def count_batch(tx: Tx, *, batch: str, residents: int) -> None:
    """Add to the number of residents a batch brought."""
    await execute(
        tx,
        """UPDATE subscriber_import_batch SET residents = residents + :residents
           WHERE batch = :batch""",
        batch=batch,
        residents=residents,
    )
