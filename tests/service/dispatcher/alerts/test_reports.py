"""The report adds up, on a real database, whatever states its deliveries are in."""

from typing import Any
from uuid import UUID, uuid4

import pytest

from services.dispatcher.delivery.states import DeliveryState
from services.dispatcher.reports.reasons import REASONS
from tests.service.dispatcher.alerts.desk import Desk

CHANNELS = ("sms", "voice", "email")


async def add(desk: Desk, alert_id: str, **values: Any) -> UUID:
    """Write a delivery; `after_s` is when it was handed over, counted from the approval."""
    made = uuid4()
    row = {"version": 1, "channel": "sms", "state": "delivered", "reason": None, "after_s": None,
           **values}  # fmt: skip
    await desk.run(
        """INSERT INTO dispatcher_delivery (delivery_id, alert_id, version, channel, address_hash,
             hash_key_id, priority, language, chunk_id, state, reason, handed_over_at)
           SELECT :made, alert_id, :version, :channel, :hash, 'k', 'routine', 'en', :made, :state,
             :reason, approved_at + make_interval(secs => CAST(:after_s AS float8))
           FROM dispatcher_alert WHERE alert_id = :id""",
        made=made, id=alert_id, hash=made.bytes * 2, **row,
    )  # fmt: skip
    return made


async def report(desk: Desk, alert_id: str) -> dict[str, Any]:
    """Return the report."""
    answer = await desk.client.get(
        f"/v1/alerts/{alert_id}/report", headers=desk.sign_in("v", roles=("viewer",))
    )
    assert answer.status_code == 200, answer.text
    return dict(answer.json())


@pytest.mark.shows("P1")
async def test_every_delivery_has_one_state_and_the_totals_add_up(desk: Desk) -> None:
    alert_id = (await desk.approved())["alert_id"]
    for channel in CHANNELS:
        for state in DeliveryState:
            await add(desk, alert_id, channel=channel, state=state, reason="nobody knows")
    seen = await report(desk, alert_id)
    every = len(CHANNELS) * len(DeliveryState)
    assert seen["deliveries"] == every
    assert sum(seen["by_state"].values()) == every
    assert (
        seen["delivered"] + seen["failed"]["total"] + seen["awaiting_receipt"] + seen["pending"]
        == every
    )
    assert sum(seen["failed"]["by_reason"].values()) == seen["failed"]["total"]
    assert set(seen["failed"]["by_reason"]) <= set(REASONS)
    for name in ("deliveries", "handed_over", "delivered", "awaiting_receipt", "pending"):
        assert sum(seen["by_channel"][one][name] for one in CHANNELS) == seen[name]
    assert sum(seen["by_channel"][one]["failed"] for one in CHANNELS) == seen["failed"]["total"]
    assert not seen["complete"]


async def test_seconds_count_from_the_approval_to_each_hand_over(desk: Desk) -> None:
    alert_id = (await desk.approved())["alert_id"]
    for second in range(1, 101):
        await add(desk, alert_id, after_s=second)
    await add(desk, alert_id, state="failed", reason="invalid_address")
    seen = await report(desk, alert_id)
    assert seen["seconds_to"] == {"first": 1.0, "p50": 50.0, "p99": 99.0, "last": 100.0}
    assert (seen["handed_over"], seen["delivered"], seen["failed"]["by_reason"]) == (
        100, 100, {"invalid_address": 1},
    )  # fmt: skip


async def test_the_audience_and_the_correction_are_told_apart(desk: Desk) -> None:
    alert_id = (await desk.approved())["alert_id"]
    for late, card in ((False, 1), (True, 1), (False, None)):
        await desk.run(
            """INSERT INTO dispatcher_member
                 (alert_id, version, subscriber_id, reason, card_version, late)
               VALUES (:id, 1, :who, 'by_uncertainty', :card, :late)""",
            id=alert_id, who=uuid4(), card=card, late=late,
        )  # fmt: skip
    everywhere, by_text = ("", "sms", "voice"), ("sms",)
    for channels in (everywhere, by_text):
        who = uuid4()
        for channel in channels:
            await desk.run(
                "INSERT INTO dispatcher_exclusion VALUES (:id, 1, :who, :channel, 'opted_out')",
                id=alert_id, who=who, channel=channel,
            )  # fmt: skip
    await add(desk, alert_id, after_s=1)
    await desk.client.post(
        f"/v1/alerts/{alert_id}/cancel", json={"reason": "x"}, headers=desk.sign_in("cy")
    )
    await add(desk, alert_id, version=2, state="accepted", after_s=60)
    seen = await report(desk, alert_id)
    assert seen["audience"] == {"people": 3, "awaiting_card": 1, "late": 1, "by_uncertainty": 3,
                                "excluded": {"opted_out": 1}}  # fmt: skip
    left_out = {name: part["excluded"] for name, part in seen["by_channel"].items()}
    assert left_out == {"sms": {"opted_out": 2}, "voice": {"opted_out": 1}, "email": {}}
    assert seen["deliveries"] == 1
    assert (seen["correction"]["version"], seen["correction"]["deliveries"]) == (2, 1)


async def test_a_report_before_anything_was_sent(desk: Desk) -> None:
    shown = await desk.submitted(desk.sign_in("ada"))
    seen = await report(desk, shown["alert_id"])
    assert (seen["deliveries"], seen["complete"], seen["seconds_to"]["first"]) == (0, False, None)


@pytest.mark.shows("bad:J23")
async def test_deliveries_come_in_pages_without_addresses(desk: Desk) -> None:
    alert_id = (await desk.approved())["alert_id"]
    made = {str(await add(desk, alert_id, state="failed", reason="refused")) for _ in range(5)}
    seen: set[str] = set()
    after: dict[str, str] = {}
    while True:
        page = (await desk.client.get(
            f"/v1/alerts/{alert_id}/deliveries", params={"limit": "2", **after},
            headers=desk.sign_in("ada"),
        )).json()  # fmt: skip
        seen |= {one["delivery_id"] for one in page["deliveries"]}
        assert not any("address" in name for one in page["deliveries"] for name in one)
        if page["after"] is None:
            break
        after = {"after": page["after"]}
    assert seen == made
    for bad in ("0", "-1", "1000000000"):
        answer = await desk.client.get(
            f"/v1/alerts/{alert_id}/deliveries", params={"limit": bad},
            headers=desk.sign_in("ada"),
        )  # fmt: skip
        assert answer.status_code == 422
