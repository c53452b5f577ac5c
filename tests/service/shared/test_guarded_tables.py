"""Every table of the three databases is guarded by row-level security, or is known to be no town's.

A new table fails here until it is forced under a policy or named below with the reason.
"""

from collections.abc import Callable
from typing import Any

import pytest

from shared.db.session import fetch, open_database

KEPT_BY_ALL = {
    "alembic_version": "says which migrations have run",
    "idempotency": "requests by the principal who made them, asked for by no other",
    "rate": "counters by a digest",
}
WAITING = {
    "outbox": "events on their way, read by the relay alone, which is every town's",
    "relay": "which process relays",
}
NO_TOWNS = {
    "subscriber": {
        **KEPT_BY_ALL,
        **WAITING,
        "resident": "residents sign up with the State, not with a town",
        "contact_point": "as its resident",
        "place": "as its resident: a place lies somewhere, and whose ground that is may change",
        "consent": "as its resident",
        "code": "as its resident",
        "erased": "an id and a version of somebody who left",
        "suppression": "hashes of addresses that are left alone statewide",
        "import_batch": "files of the State",
    },
    "geofence": {
        **KEPT_BY_ALL,
        **WAITING,
        "layer": "boundaries, the same for all",
        "layer_activation": "as its layer",
        "feature": "as its layer",
        "address": "as its layer; its town is a postal word",
        "resident": "an id and its channels, without a town",
        "place": "a point, chosen by areas of any town's alerts",
        "left_spot": "as its place; gone within about a day",
        "roster_offset": "how far a topic has been read",
        "live_alert": "no town comes with an approved area; every town asks what is covered",
        "late_joiner": "as its live alert",
        "run": "as its live alert",
    },
    "dispatcher": {
        **KEPT_BY_ALL,
        **WAITING,
        "page": "when the person on duty was last called, and for what",
        "card": "residents are no town's",
        "contact": "as its card",
        "suppression": "hashes of addresses that are left alone statewide",
        "notice": "codes and answers to residents, with no alert",
        "inbound": "what residents texted, by the hash of their address",
    },
}
# Columns that say, or lead to, whose a row is. Tables of the geofence know ids of alerts alone.
LEADS = {"alert_id", "delivery_id", "partner_id", "saved_area_id", "chunk_id", "town", "by_town"}
LEADS_NOWHERE = {
    ("geofence", "live_alert"), ("geofence", "late_joiner"), ("geofence", "run"),
    ("geofence", "address"),
}  # fmt: skip

TABLES = """
SELECT c.relname AS name, c.relrowsecurity AND c.relforcerowsecurity AS forced,
       (SELECT count(*) FROM pg_policy AS p WHERE p.polrelid = c.oid) AS policies,
       (SELECT array_agg(CAST(a.attname AS text)) FROM pg_attribute AS a
         WHERE a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped) AS columns
  FROM pg_class AS c
 WHERE c.relnamespace = CAST('public' AS regnamespace) AND c.relkind IN ('r', 'p')
"""
VIEWS = """
SELECT c.relname AS name, COALESCE('security_invoker=true' = ANY(c.reloptions), false) AS invoker
  FROM pg_class AS c
 WHERE c.relnamespace = CAST('public' AS regnamespace) AND c.relkind IN ('v', 'm')
"""
DEFINERS = """
SELECT proname AS name FROM pg_proc
 WHERE pronamespace = CAST('public' AS regnamespace) AND prosecdef
"""
Databases = Callable[[str], Any]


async def ask(url: str, sql: str) -> list[dict[str, Any]]:
    """Return what the application's role reads in the catalogue."""
    database = open_database(url, application_name="test")
    try:
        async with database.transaction() as tx:
            return [dict(row) for row in await fetch(tx, sql)]
    finally:
        await database.close()


@pytest.mark.shows("S10", "O8")
@pytest.mark.parametrize("service", sorted(NO_TOWNS))
async def test_a_table_is_guarded_or_no_towns(database: Databases, service: str) -> None:
    found = {
        row["name"].removeprefix(f"{service}_"): row
        for row in await ask(database(service).app_url, TABLES)
    }
    forced = {name for name, row in found.items() if row["forced"]}
    assert set(found) - forced == set(NO_TOWNS[service])
    assert [name for name in forced if not found[name]["policies"]] == []
    leading = {name for name, row in found.items() if LEADS & set(row["columns"])}
    assert {(service, name) for name in leading - forced} <= LEADS_NOWHERE


@pytest.mark.shows("S10")
@pytest.mark.parametrize("service", sorted(NO_TOWNS))
async def test_nothing_looks_past_the_guards(database: Databases, service: str) -> None:
    """Views and functions of the owner would see for everybody what the owner may."""
    url = database(service).app_url
    assert [row["name"] for row in await ask(url, VIEWS) if not row["invoker"]] == []
    assert await ask(url, DEFINERS) == []
