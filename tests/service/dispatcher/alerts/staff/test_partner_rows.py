"""Partners of one town, guarded by row-level security."""

from uuid import uuid4

import pytest
from sqlalchemy.exc import ProgrammingError

from shared.db.session import ALL_TOWNS, execute, fetch
from tests.fakes_geofence import HARTFORD, NEW_HAVEN
from tests.service.dispatcher.alerts.cap.cap_messages import message, post
from tests.service.dispatcher.alerts.desk import Desk, codes


async def seen(desk: Desk, *, town: str | None, senders: set[str]) -> set[str]:
    """Return which of the senders' partners a transaction for a town sees."""
    async with desk.context.database.transaction(town=town) as tx:
        rows = await fetch(tx, "SELECT sender FROM dispatcher_partner")
    return {row["sender"] for row in rows} & senders


@pytest.mark.shows("S10")
async def test_a_town_sees_its_own_partners_only(desk: Desk) -> None:
    haven, hartford, state = [
        (await desk.enrol(town=town))[0] for town in (NEW_HAVEN, HARTFORD, ALL_TOWNS)
    ]
    everybody = {haven, hartford, state}
    for town, own in (
        (NEW_HAVEN, {haven}),
        (HARTFORD, {hartford}),
        (ALL_TOWNS, everybody),
        (None, set[str]()),
    ):
        assert await seen(desk, town=town, senders=everybody) == own


@pytest.mark.shows("S10")
async def test_a_town_writes_no_partner_of_another(desk: Desk) -> None:
    sender, _ = await desk.enrol(town=NEW_HAVEN)
    change = "UPDATE dispatcher_partner SET disabled_at = now() WHERE sender = :sender"
    async with desk.context.database.transaction(town=HARTFORD) as tx:
        assert await execute(tx, change, sender=sender) == 0
    move = "UPDATE dispatcher_partner SET town = '*' WHERE sender = :sender"
    with pytest.raises(ProgrammingError, match="row-level security"):
        async with desk.context.database.transaction(town=NEW_HAVEN) as tx:
            await execute(tx, move, sender=sender)


async def test_a_towns_admin_enrols_and_its_key_is_known(desk: Desk) -> None:
    admin = desk.sign_in("root", roles=("admin",), town=NEW_HAVEN)
    sender = f"{uuid4().hex}@example.org"
    body = {"name": "W", "sender": sender, "categories": [], "town": NEW_HAVEN}
    made = await desk.client.post("/v1/partners", json=body, headers=admin)
    assert made.status_code == 201, made.text
    answer = await post(desk, message(sender), **{"X-Api-Key": made.json()["api_key"]})
    assert answer.status_code == 202, answer.text


async def test_a_sender_is_taken_by_another_towns_partner_too(desk: Desk) -> None:
    sender, _ = await desk.enrol(town=HARTFORD)
    admin = desk.sign_in("root", roles=("admin",), town=NEW_HAVEN)
    body = {"name": "W", "sender": sender, "categories": [], "town": NEW_HAVEN}
    answer = await desk.client.post("/v1/partners", json=body, headers=admin)
    assert (answer.status_code, codes(answer)) == (409, {"sender-taken"})


@pytest.mark.shows("S01")
async def test_who_made_a_towns_key_does_not_approve_from_the_town(desk: Desk) -> None:
    sender, key = await desk.enrol(town=NEW_HAVEN)
    receipt = (await post(desk, message(sender), **key)).json()
    for town in (NEW_HAVEN, ALL_TOWNS):
        answer = await desk.approve(receipt, desk.sign_in("root", town=town))
        assert (answer.status_code, codes(answer)) == (403, {"same-person"})
    assert (await desk.approve(receipt, desk.sign_in("ben", town=NEW_HAVEN))).status_code == 200


@pytest.mark.shows("S01")
@pytest.mark.parametrize("moved_to", [HARTFORD, ALL_TOWNS])
async def test_a_partner_out_of_sight_is_not_taken_for_one_that_nobody_enrolled(
    desk: Desk, moved_to: str
) -> None:
    sender, key = await desk.enrol(town=NEW_HAVEN)
    receipt = (await post(desk, message(sender), **key)).json()
    move = "UPDATE dispatcher_partner SET town = :town WHERE sender = :s"
    await desk.run(move, town=moved_to, s=sender)
    for name in ("root", "ben"):
        answer = await desk.approve(receipt, desk.sign_in(name, town=NEW_HAVEN))
        assert (answer.status_code, codes(answer)) == (403, {"same-person"})
    assert (await desk.approve(receipt, desk.sign_in("ben"))).status_code == 200
