"""One engine a process and service: asyncpg, UTC, and limits that keep a transaction short."""

from sqlalchemy.ext.asyncio import AsyncEngine, create_async_engine

# `complete` looks five minutes back over changed cards, which holds only while no
# transaction lives longer than a minute.
_SERVER_SETTINGS = {
    "timezone": "UTC",
    "jit": "off",
    "transaction_timeout": "60s",
    "idle_in_transaction_session_timeout": "30s",
}


def make_engine(url: str, *, application_name: str, pool_size: int = 5) -> AsyncEngine:
    """Make the engine of one service in one process; `pool_size` counts connections.

    Raises:
        ValueError: the URL is not a `postgresql+asyncpg://` one.
    """
    if not url.startswith("postgresql+asyncpg://"):
        raise ValueError("the database URL must begin with postgresql+asyncpg://")
    return create_async_engine(
        url,
        pool_size=pool_size,
        max_overflow=pool_size,
        pool_timeout=10,
        pool_pre_ping=True,
        pool_recycle=1800,
        hide_parameters=True,  # an error's text goes to the log, and parameters are people
        connect_args={
            "timeout": 5,
            "command_timeout": 60,
            "server_settings": {**_SERVER_SETTINGS, "application_name": application_name[:63]},
        },
    )
