"""The due work of alerts, on a real database: lapse, expiry, telling again, states that advance."""

from uuid import UUID, uuid4

import pytest

from services.dispatcher.alerts.timers import timers
from tests.service.dispatcher.alerts.desk import Desk, do_once


async def tick(desk: Desk) -> None:
    """Do all due work once."""
    await do_once(timers(desk.context))


async def state(desk: Desk, alert_id: str) -> str:
    """Return where an alert stands."""
    rows = await desk.rows("SELECT state FROM dispatcher_alert WHERE alert_id = :id", id=alert_id)
    return str(rows[0]["state"])


async def told(desk: Desk, topic: str, alert_id: str) -> int:
    """Return how often an alert was announced on a topic."""
    return len(await desk.rows(
        "SELECT 1 FROM dispatcher_outbox WHERE topic = :topic AND key = :key",
        topic=topic, key=alert_id.encode(),
    ))  # fmt: skip


async def add_chunk(desk: Desk, alert_id: str) -> None:
    """Write a chunk as fan-out does."""
    await desk.run(
        """INSERT INTO dispatcher_chunk
             (chunk_id, alert_id, version, run_id, n, origin, members, deliveries)
           VALUES (:chunk, :id, 1, :chunk, 0, 'audience', 1, 1)""",
        chunk=uuid4(), id=alert_id,
    )  # fmt: skip


async def add_run(desk: Desk, alert_id: str) -> None:
    """Write a run that has been fanned out whole."""
    await desk.run(
        """INSERT INTO dispatcher_run (alert_id, version, run_id, chunks, members, roster_offsets,
             roster_topic_id, area_digest, fanned_out_at)
           VALUES (:id, 1, :run, 1, 1, '{}', 't', 'd', clock_timestamp())""",
        run=uuid4(), id=alert_id,
    )  # fmt: skip


async def add_delivery(desk: Desk, alert_id: str, state: str) -> UUID:
    """Write a delivery in a state."""
    made = uuid4()
    await desk.run(
        """INSERT INTO dispatcher_delivery (delivery_id, alert_id, version, channel, address_hash,
             hash_key_id, priority, language, chunk_id, state, handed_over_at)
           VALUES (:made, :id, 1, 'sms', :hash, 'k', 'routine', 'en', :made, :state,
             CASE WHEN :state IN ('accepted', 'sent', 'delivered') THEN clock_timestamp() END)""",
        made=made, id=alert_id, hash=made.bytes * 2, state=state,
    )  # fmt: skip
    return made


async def test_what_nobody_decided_lapses_and_what_is_over_expires(desk: Desk) -> None:
    old = (await desk.draft(desk.sign_in("ada"))).json()["alert_id"]
    over = (await desk.submitted(desk.sign_in("ada")))["alert_id"]
    young = (await desk.draft(desk.sign_in("ada"))).json()["alert_id"]
    await desk.run(
        "UPDATE dispatcher_alert SET created_at = created_at - interval '25 hours'"
        " WHERE alert_id = :id", id=old,
    )  # fmt: skip
    await desk.run(
        "UPDATE dispatcher_alert SET expires_at = now() - interval '1 s' WHERE alert_id = :id",
        id=over,
    )
    await tick(desk)
    assert [await state(desk, one) for one in (old, over, young)] == [
        "lapsed", "expired", "draft",
    ]  # fmt: skip


async def test_an_alert_is_told_again_until_a_run_is_fanned_out_whole(desk: Desk) -> None:
    alert_id = (await desk.approved())["alert_id"]

    async def silence() -> None:
        await desk.run(
            "UPDATE dispatcher_alert SET announced_at = announced_at - interval '20 s'"
            " WHERE alert_id = :id", id=alert_id,
        )  # fmt: skip
        await desk.run(
            "UPDATE dispatcher_chunk SET created_at = created_at - interval '20 s'"
            " WHERE alert_id = :id", id=alert_id,
        )  # fmt: skip

    await tick(desk)
    assert await told(desk, "alert.approved", alert_id) == 1
    await silence()
    await tick(desk)
    assert await told(desk, "alert.approved", alert_id) == 2
    await silence()
    await add_chunk(desk, alert_id)
    await tick(desk)
    assert await told(desk, "alert.approved", alert_id) == 2
    await silence()
    await tick(desk)
    assert await told(desk, "alert.approved", alert_id) == 3
    await add_run(desk, alert_id)
    await silence()
    await tick(desk)
    assert await told(desk, "alert.approved", alert_id) == 3


async def test_an_alert_advances_with_its_deliveries(desk: Desk) -> None:
    alert_id = (await desk.approved())["alert_id"]
    await tick(desk)
    assert await state(desk, alert_id) == "approved"
    await add_chunk(desk, alert_id)
    made = await add_delivery(desk, alert_id, "pending")
    await tick(desk)
    assert await state(desk, alert_id) == "dispatching"
    await add_run(desk, alert_id)
    for held in ("pending", "sending", "unknown", "retry_wait"):
        await desk.run("UPDATE dispatcher_delivery SET state = :s WHERE delivery_id = :d",
                       s=held, d=made)  # fmt: skip
        await tick(desk)
        assert await state(desk, alert_id) == "dispatching"
    await desk.run("UPDATE dispatcher_delivery SET state = 'accepted' WHERE delivery_id = :d",
                   d=made)  # fmt: skip
    await tick(desk)
    assert await state(desk, alert_id) == "sent"
    await desk.run("UPDATE dispatcher_alert SET expires_at = now() WHERE alert_id = :id",
                   id=alert_id)  # fmt: skip
    await tick(desk)
    await tick(desk)
    assert await state(desk, alert_id) == "sent"
    assert await told(desk, "alert.ended", alert_id) == 1
    await desk.run("UPDATE dispatcher_delivery SET state = 'delivered' WHERE delivery_id = :d",
                   d=made)  # fmt: skip
    await tick(desk)
    assert await state(desk, alert_id) == "completed"
    assert await told(desk, "alert.ended", alert_id) == 1


async def test_an_alert_that_reached_nobody_in_time_expires(desk: Desk) -> None:
    alert_id = (await desk.approved())["alert_id"]
    await desk.run("UPDATE dispatcher_alert SET expires_at = now() WHERE alert_id = :id",
                   id=alert_id)  # fmt: skip
    await tick(desk)
    assert await state(desk, alert_id) == "expired"
    assert await told(desk, "alert.ended", alert_id) == 1


@pytest.mark.shows("M8")
async def test_a_cancelled_alert_closes_once_its_corrections_are_out(desk: Desk) -> None:
    alert_id = (await desk.approved())["alert_id"]
    await add_chunk(desk, alert_id)
    made = await add_delivery(desk, alert_id, "accepted")
    await tick(desk)
    answer = await desk.client.post(
        f"/v1/alerts/{alert_id}/cancel", json={"reason": "wrong"}, headers=desk.sign_in("cy")
    )
    assert answer.status_code == 202
    await tick(desk)
    assert await state(desk, alert_id) == "cancelling"
    correction = uuid4()
    await desk.run(
        """INSERT INTO dispatcher_delivery (delivery_id, alert_id, version, channel, address_hash,
             hash_key_id, priority, language, chunk_id, state)
           SELECT :new, alert_id, 2, channel, address_hash, hash_key_id, priority, language,
             chunk_id, 'pending' FROM dispatcher_delivery WHERE delivery_id = :made""",
        new=correction, made=made,
    )  # fmt: skip
    await tick(desk)
    assert await state(desk, alert_id) == "cancelling"
    await desk.run("UPDATE dispatcher_delivery SET state = 'sent' WHERE delivery_id = :d",
                   d=correction)  # fmt: skip
    await tick(desk)
    assert await state(desk, alert_id) == "cancelled"
