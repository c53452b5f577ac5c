"""Random events against the real statements: whatever comes when, the promises hold."""

from datetime import UTC, datetime, timedelta
from typing import Any, ClassVar
from uuid import UUID

import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    invariant,
    precondition,
    rule,
    run_state_machine_as_test,
)

from services.dispatcher.contacts.suppress import suppress
from services.dispatcher.delivery import store
from services.dispatcher.delivery.broadcasts.stop_broadcast import stop_broadcast
from services.dispatcher.delivery.raise_states import raise_states
from services.dispatcher.delivery.states import (
    ALLOWED,
    MAX_ATTEMPTS,
    TERMINAL,
    Claimed,
    DeliveryState,
    Found,
    Outcome,
    StateUpdate,
)
from services.dispatcher.delivery.unknown import adopt, give_up, take_unknown
from tests.service.dispatcher.delivery.stage import chunk_of
from tests.service.orders.world import World, open_world

S = DeliveryState
PEOPLE = 3
_ROWS = "SELECT * FROM dispatcher_delivery WHERE alert_id = :alert_id AND version = 1"


class Deliveries(RuleBasedStateMachine):
    """One alert's deliveries: claimed, sent, lost, receipted, stopped, opted out, in any order."""

    world: ClassVar[World]

    @initialize()
    def begin(self) -> None:
        """Fan an alert out to a few people."""
        stage, do = self.world.stage, self.world.do
        self.people = do(stage.residents(PEOPLE))
        self.alert_id: UUID = do(stage.broadcast())
        made = do(stage.fan_out(self.alert_id, self.people))
        self.ids = [one.delivery_id for one in made.requests]
        self.held: list[Claimed] = []
        self.past: list[Claimed] = []
        self.over = False
        self.silenced: set[UUID] = set()
        self.said_at, self.cards = datetime.now(UTC), 1
        self.before: dict[UUID, tuple[DeliveryState, int]] = {}

    def _claim(self, *ids: UUID) -> list[Claimed]:
        taken = self.world.do(self.world.stage.claim(*ids))
        assert not (self.over and taken)
        assert not {one.delivery_id for one in taken} & self.silenced
        # In the order of ids, or the same draws would stand for other deliveries the next time.
        return sorted(taken, key=lambda one: one.delivery_id)

    def _one(self, data: st.DataObject, among: list[Claimed]) -> Claimed:
        return data.draw(st.sampled_from(among))

    @rule(data=st.data())
    def claim(self, data: st.DataObject) -> None:
        """Claim some: never after the end, never for who opted out."""
        wanted = data.draw(st.sets(st.sampled_from(self.ids), min_size=1))
        taken = self._claim(*wanted)
        self.held += taken
        self.past += taken

    @precondition(lambda self: self.held)
    @rule(data=st.data(), state=st.sampled_from(
        [S.ACCEPTED, S.UNKNOWN, S.RETRY_WAIT, S.PENDING, S.FAILED, S.EXPIRED]))  # fmt: skip
    def outcome(self, data: st.DataObject, state: DeliveryState) -> None:
        """Write what came of an attempt, perhaps twice, perhaps long after its lease."""
        one = self._one(data, self.held)
        if data.draw(st.booleans()):
            self.held.remove(one)
        record = Outcome(
            one.delivery_id, one.epoch, state, "x", provider="fake", counted=state != S.PENDING,
            sid=_sid(one) if state == S.ACCEPTED else None, due_in_s=0.0,
        )  # fmt: skip
        before = self.world.do(self.world.stage.delivery(one.delivery_id))
        self.world.within(lambda tx: store.record_outcomes(tx, [record]))
        after = self.world.do(self.world.stage.delivery(one.delivery_id))
        assert before["epoch"] == one.epoch or after["state"] == before["state"]

    @rule(times=st.integers(1, MAX_ATTEMPTS + 2))
    def fail(self, times: int) -> None:
        """Have one attempt after the other fail, more often than it may."""
        for _ in range(times):
            taken = self._claim(*self.ids)
            self.past += taken
            self.held += taken  # and none of them has heard that it is not the last
            self.promises()
            records = [
                Outcome(one.delivery_id, one.epoch, S.RETRY_WAIT, "x", due_in_s=0.0)
                for one in taken
            ]
            self.world.within(lambda tx, given=records: store.record_outcomes(tx, given))
            self.promises()
            self.time_passes()

    @precondition(lambda self: self.past)
    @rule(data=st.data(), state=st.sampled_from(
        [S.ACCEPTED, S.SENT, S.DELIVERED, S.UNDELIVERED, S.RETRY_WAIT]))  # fmt: skip
    def receipt(self, data: st.DataObject, state: DeliveryState) -> None:
        """Settle a receipt of any attempt there ever was."""
        one = self._one(data, self.past)
        update = StateUpdate(
            one.delivery_id, state, "fake", _sid(one), epoch=one.epoch, retry_in_s=0.0
        )
        self.world.within(lambda tx: raise_states(tx, [update]))

    @rule()
    def leases_end(self) -> None:
        """Let every lease end."""
        self._set("lease_until = now() - interval '1 s'", "state = 'sending'")
        self.world.do(self.world.timers.end_leases())

    @rule(found=st.booleans())
    def look_up(self, found: bool) -> None:
        """Look up what is unknown; the provider has all of it, or none."""
        self._set("due_at = now()", "state = 'unknown'")
        taken = self.world.within(lambda tx: take_unknown(tx, "sms", 10))
        if found:
            there = [Found(c.delivery_id, c.epoch, "fake", _sid(c)) for c in taken]
            self.world.within(lambda tx: adopt(tx, there))
        else:
            pairs = [(one.delivery_id, one.epoch) for one in taken]
            self.world.within(lambda tx: give_up(tx, pairs))
            # Its pause is drawn by lot, which nobody could draw again.
            self._set("due_at = now()", "state = 'retry_wait' AND due_at IS NOT NULL")

    @rule()
    def time_passes(self) -> None:
        """Have the timers ask for what is due."""
        self._set("due_at = now()", "due_at IS NOT NULL AND state <> 'unknown'")
        self.world.do(self.world.timers.ask_for_due())

    @rule(data=st.data(), soon=st.integers(0, 2))
    def opt_out(self, data: st.DataObject, soon: int) -> None:
        """Take a STOP; it holds for every claim after it."""
        if soon:
            return
        self._silence(data.draw(st.sampled_from(self.ids)))

    @rule(data=st.data())
    def come_back(self, data: st.DataObject) -> None:
        """Have somebody opt in again after a STOP: what a claim has closed for it opens."""
        one = data.draw(st.sampled_from(self.ids))
        if one not in self.silenced:
            self._silence(one)
        self._claim(one)
        self.promises()
        who = self._whose(one)
        self.silenced.remove(one)
        self.cards += 1
        point = ("sms", f"+1860{who.int % 10**7:07}")
        stage, do = self.world.stage, self.world.do
        do(stage.keep(stage.card(who, point, version=self.cards, opted_in_at=self._later())))
        before = do(stage.delivery(one))
        made = do(stage.complete(who))
        closed = before["state"] == S.SUPPRESSED and before["handed_over_at"] is None
        assert [again.delivery_id for again in made.requests] == [one] * (closed and not self.over)

    @precondition(lambda self: not self.over)
    @rule(soon=st.integers(0, 5), cancelled=st.booleans())
    def end(self, soon: int, cancelled: bool) -> None:
        """Cancel the alert, or let it expire; seldom, for little happens after it."""
        if soon:
            return
        self.over = True
        if cancelled:
            self.world.within(lambda tx: stop_broadcast(
                tx, alert_id=self.alert_id, version=1, reason="x", correction=None
            ))  # fmt: skip
        else:
            self.world.do(self.world.stage.run(
                "UPDATE dispatcher_broadcast SET expires_at = now() WHERE alert_id = :id",
                id=self.alert_id,
            ))  # fmt: skip

    @rule()
    def close(self) -> None:
        """Have the timers close what is over."""
        self.world.do(self.world.timers.close())

    @rule()
    def audience_again(self) -> None:
        """Resolve the alert again: the same people in another run."""
        chunk = chunk_of(self.alert_id, self.people, run_id=UUID(int=len(self.past) + 2))
        values = {"run_id": chunk.run_id}
        made = self.world.do(self.world.stage.fan_out(self.alert_id, self.people, **values))
        assert made.requests == []

    @invariant()
    def promises(self) -> None:
        """One row a person; ends are final, epochs grow, attempts are few, moves are allowed."""
        if not hasattr(self, "before"):
            return
        rows = self.world.do(self.world.stage.rows(_ROWS, alert_id=self.alert_id))
        assert len(rows) == PEOPLE
        for row in rows:
            state, epoch = S(row["state"]), row["epoch"]
            assert row["attempts"] <= MAX_ATTEMPTS
            assert (row["rank"] == 3) == (state in TERMINAL)
            assert (row["lease_until"] is not None) == (state is S.SENDING)
            was, old = self.before.get(row["delivery_id"], (S.PENDING, 0))
            assert epoch >= old
            assert state is was or state in ALLOWED[was], (was, state)
            assert was not in TERMINAL - {S.SUPPRESSED} or state is was
            self.before[row["delivery_id"]] = state, epoch

    def teardown(self) -> None:
        """In the end everything comes to an end or waits for a receipt only."""
        if not hasattr(self, "before"):
            return
        if not self.over:
            self.end(soon=0, cancelled=True)
        for step in (self.leases_end, lambda: self.look_up(found=False), self.close):
            step()
            self.promises()
        left = {state for state, _ in self.before.values()}
        assert left <= TERMINAL | {S.ACCEPTED, S.SENT}, left

    def _silence(self, delivery_id: UUID) -> None:
        row = self.world.do(self.world.stage.delivery(delivery_id))
        self.silenced.add(delivery_id)
        self.world.within(lambda tx: suppress(
            tx, channel="sms", address_hash=row["address_hash"], hash_key_id="k",
            reason="opted_out", at=self._later(),
        ))  # fmt: skip

    def _whose(self, delivery_id: UUID) -> UUID:
        (row,) = self.world.do(self.world.stage.rows(
            "SELECT subscriber_id FROM dispatcher_delivery_member WHERE delivery_id = :id",
            id=delivery_id,
        ))  # fmt: skip
        return UUID(str(row["subscriber_id"]))

    def _later(self) -> datetime:
        self.said_at += timedelta(seconds=1)
        return self.said_at

    def _set(self, sets: str, where: str) -> None:
        self.world.do(self.world.stage.run(
            f"UPDATE dispatcher_delivery SET {sets} WHERE alert_id = :id AND {where}",  # noqa: S608
            id=self.alert_id,
        ))  # fmt: skip


def _sid(one: Claimed) -> str:
    return f"SID-{one.delivery_id}-{one.epoch}"


@pytest.mark.shows("F02", "F27", "F36", "F39", "D17")
def test_whatever_comes_when_the_promises_hold(fresh_database: Any, keyrings: Any) -> None:
    with open_world(fresh_database("dispatcher"), keyrings) as world:
        Deliveries.world = world
        run_state_machine_as_test(
            Deliveries,
            settings=settings(
                max_examples=40,
                stateful_step_count=25,
                deadline=None,
                derandomize=True,
                database=None,
                suppress_health_check=list(HealthCheck),
            ),
        )
