"""The servers the tests stand on: a database a service, guarded roles, a broker that answers."""

from collections.abc import Callable

import asyncpg

from tests.conftest import KeyRings
from tests.servers import ServiceDatabase


async def test_database_belongs_to_its_two_roles_alone(
    fresh_database: Callable[..., ServiceDatabase],
) -> None:
    made, other = (
        fresh_database("geofence", migrated=False),
        fresh_database("dispatcher", migrated=False),
    )
    app = await asyncpg.connect(made.app_url.replace("+asyncpg", ""))
    try:
        row = await app.fetchrow(
            "SELECT rolsuper, rolbypassrls, rolcreatedb FROM pg_roles WHERE rolname = current_user"
        )
        may = "SELECT has_database_privilege($1, 'CONNECT')"
        assert not any(row)
        assert await app.fetchval(may, made.name)
        assert not await app.fetchval(may, other.name)
    finally:
        await app.close()


def test_broker_answers(kafka: str) -> None:
    assert kafka


def test_keyrings_belong_together(keyrings: KeyRings) -> None:
    assert keyrings.ring("dispatcher").signer is not None
