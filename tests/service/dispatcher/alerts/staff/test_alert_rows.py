"""What hangs on an alert of one town, guarded by row-level security in every table."""

from dataclasses import dataclass
from typing import Any
from uuid import UUID

import orjson
import pytest
from sqlalchemy.exc import ProgrammingError

from services.dispatcher.recipients.keep_run import keep_run
from shared.db.session import ALL_TOWNS, execute, fetch, fetch_value
from tests.fakes_geofence import HARTFORD, NEW_HAVEN
from tests.service.dispatcher.alerts.cap.cap_messages import info, message, post
from tests.service.dispatcher.alerts.desk import Desk
from tests.service.dispatcher.delivery.stage import Stage, ids_of, run_of

pytestmark = pytest.mark.shows("S10", "O8")

TRIANGLES = {
    NEW_HAVEN: "41.30,-72.93 41.30,-72.91 41.32,-72.92 41.30,-72.93",
    HARTFORD: "41.75,-72.70 41.75,-72.68 41.77,-72.69 41.75,-72.70",
}
OF_ALERTS = (
    "dispatcher_alert", "dispatcher_broadcast", "dispatcher_delivery", "dispatcher_member",
    "dispatcher_exclusion", "dispatcher_chunk", "dispatcher_run", "dispatcher_cap_message",
)  # fmt: skip
OF_DELIVERIES = ("dispatcher_delivery_member", "dispatcher_attempt", "dispatcher_receipt")
REFUSED = "row-level security"
RECEIPT = """
INSERT INTO dispatcher_receipt (provider, sid, status, delivery_id, received_at, effect)
SELECT 'fake', CAST(d.delivery_id AS text), 'sent', d.delivery_id, now(), 'moved'
FROM dispatcher_delivery AS d WHERE d.delivery_id = :id
"""
COUNT = "SELECT count(*) FROM {table} WHERE {whose}"
LOCK = "SELECT to_jsonb(t) AS row FROM {table} AS t WHERE {whose} FOR UPDATE SKIP LOCKED"
CHANGE = "UPDATE {table} SET {column} = {value} WHERE {whose}"
REMOVE = "DELETE FROM {table} WHERE {whose}"
AGAIN = """
INSERT INTO {table}
SELECT * FROM jsonb_populate_record(CAST(NULL AS {table}), CAST(:row AS jsonb))
"""


@dataclass(frozen=True, slots=True)
class Told:
    """A town's alert with a row in every table, and its partner."""

    alert_id: UUID
    delivery_id: UUID
    member: UUID
    sender: str
    key: dict[str, str]
    text: str

    def on(self, sql: str, table: str, **parts: str) -> str:
        """Return a statement on the one row of the alert in a table."""
        whose = f"alert_id = '{self.alert_id}'"
        if table in OF_DELIVERIES:
            whose = f"delivery_id = '{self.delivery_id}'"
        elif table == "dispatcher_member":
            whose += f" AND subscriber_id = '{self.member}'"
        return sql.format(table=table, whose=whose, **parts)


async def tell(desk: Desk, town: str) -> Told:
    """Have a partner of a town alert two residents, of whom one can be reached."""
    sender, key = await desk.enrol(town=town)
    text = message(sender, info(area=f"<polygon>{TRIANGLES[town]}</polygon>"))
    taken = await post(desk, text, **key)
    assert taken.status_code == 202, taken.text
    approved = await desk.approve(taken.json(), desk.sign_in("ben"))
    assert approved.status_code == 200, approved.text
    alert_id = UUID(taken.json()["alert_id"])
    stage = Stage(desk.context.database, desk.context.keyring)
    members = await stage.residents(1)
    other = UUID(int=members[0].int ^ 1)
    await stage.keep(stage.card(other))
    (cast,) = await desk.rows(
        "SELECT area_digest FROM dispatcher_broadcast WHERE alert_id = :id", id=alert_id
    )
    made = await stage.fan_out(alert_id, [*members, other], **cast)
    async with desk.context.database.transaction(town=ALL_TOWNS) as tx:
        await keep_run(tx, run_of(alert_id, chunks=1, members=2, **cast))
    (delivery_id,) = ids_of(made)
    await stage.claim(delivery_id)
    await stage.run(RECEIPT, id=delivery_id)
    return Told(alert_id, delivery_id, other, sender, key, text)


@pytest.fixture(scope="module")
async def told(opened: Desk) -> dict[str, Told]:
    """An alert of each of two towns."""
    return {town: await tell(opened, town) for town in TRIANGLES}


async def count(desk: Desk, table: str, alert: Told, *, town: str | None) -> int:
    """Return how many of an alert's rows a transaction for a town sees."""
    async with desk.context.database.transaction(town=town) as tx:
        return int(await fetch_value(tx, alert.on(COUNT, table)))


async def write(desk: Desk, sql: str, **params: str) -> int:
    """Return how many rows New Haven's transaction changes."""
    async with desk.context.database.transaction(town=NEW_HAVEN) as tx:
        return await execute(tx, sql, **params)


@pytest.mark.parametrize("table", [*OF_ALERTS, *OF_DELIVERIES])
async def test_rows_are_seen_where_their_alert_is(
    desk: Desk, told: dict[str, Told], table: str
) -> None:
    for town, alert in told.items():
        (other,) = set(told) - {town}
        assert await count(desk, table, alert, town=ALL_TOWNS) == 1
        # What belongs to deliveries is the transaction's of all towns, which sends them.
        assert await count(desk, table, alert, town=town) == (table in OF_ALERTS)
        for stranger in (other, "", None):
            assert await count(desk, table, alert, town=stranger) == 0


@pytest.mark.parametrize("table", [*OF_ALERTS, *OF_DELIVERIES])
async def test_a_town_writes_no_row_of_anothers_alert(
    desk: Desk, told: dict[str, Told], table: str
) -> None:
    theirs = told[HARTFORD]
    (found,) = await desk.rows(theirs.on(LOCK, table))
    values: dict[str, Any] = found["row"]
    with pytest.raises(ProgrammingError, match=REFUSED):
        await write(desk, AGAIN.format(table=table), row=orjson.dumps(values).decode())
    column = next(iter(values))
    assert await write(desk, theirs.on(CHANGE, table, column=column, value=column)) == 0
    assert await write(desk, theirs.on(REMOVE, table)) == 0
    async with desk.context.database.transaction(town=NEW_HAVEN) as tx:
        assert await fetch(tx, theirs.on(LOCK, table)) == []
    assert await count(desk, table, theirs, town=ALL_TOWNS) == 1


@pytest.mark.parametrize("table", sorted({*OF_ALERTS} - {"dispatcher_alert"}))
async def test_a_town_gives_no_row_of_its_own_away(
    desk: Desk, told: dict[str, Told], table: str
) -> None:
    column, value = "alert_id", told[HARTFORD].alert_id.hex
    if table == "dispatcher_broadcast":
        column, value = "town", HARTFORD
    elif table == "dispatcher_cap_message":
        column, value = "partner_id", UUID(int=0).hex
    give = told[NEW_HAVEN].on(CHANGE, table, column=column, value=f"'{value}'")
    with pytest.raises(ProgrammingError, match=REFUSED):
        await write(desk, give)
    touch = told[NEW_HAVEN].on(CHANGE, table, column=column, value=column)
    assert await write(desk, touch) == 1


async def test_a_delivery_without_an_alert_is_no_towns(desk: Desk) -> None:
    stage = Stage(desk.context.database, desk.context.keyring)
    _, (delivery_id,) = await stage.sendable(town=NEW_HAVEN)
    find = "SELECT 1 FROM dispatcher_delivery WHERE delivery_id = :id"
    assert len(await desk.rows(find, id=delivery_id)) == 1
    async with desk.context.database.transaction(town=NEW_HAVEN) as tx:
        assert await fetch(tx, find, id=delivery_id) == []


async def test_a_town_reads_its_own_report_and_nobody_elses(
    desk: Desk, told: dict[str, Told]
) -> None:
    for town, alert in told.items():
        for reader in told:
            viewer = desk.sign_in("v", roles=("viewer",), town=reader)
            for door in ("report", "deliveries"):
                answer = await desk.client.get(
                    f"/v1/alerts/{alert.alert_id}/{door}", headers=viewer
                )
                assert answer.status_code == (200 if reader == town else 404)
                if reader == town and door == "report":
                    report = answer.json()
                    assert (report["deliveries"], report["audience"]["people"]) == (1, 2)
                    assert report["audience"]["excluded"] == {"no_contact": 1}


async def test_a_message_is_its_partners_own_wherever_the_partner_is(
    desk: Desk, told: dict[str, Told]
) -> None:
    haven, hartford = told[NEW_HAVEN], told[HARTFORD]
    again = await post(desk, haven.text, **haven.key)
    assert (again.status_code, UUID(again.json()["alert_id"])) == (200, haven.alert_id)
    strange = await post(desk, haven.text, **hartford.key)
    unheard = await post(desk, message(haven.sender), **hartford.key)
    assert (strange.status_code, strange.json()["type"]) == (403, unheard.json()["type"])
    move = "UPDATE dispatcher_partner SET town = :town WHERE sender = :sender"
    try:
        await desk.run(move, town=ALL_TOWNS, sender=haven.sender)
        again = await post(desk, haven.text, **haven.key)
        assert (again.status_code, UUID(again.json()["alert_id"])) == (200, haven.alert_id)
        assert await count(desk, "dispatcher_cap_message", haven, town=NEW_HAVEN) == 0
    finally:
        await desk.run(move, town=NEW_HAVEN, sender=haven.sender)
