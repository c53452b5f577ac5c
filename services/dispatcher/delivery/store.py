"""The statements that move deliveries as they are sent and receipted.

Every statement locks its rows in the order of their ids, names the states a row may come from and
checks the epoch, so that two of them beside each other neither deadlock nor undo one another.
"""

from collections.abc import Iterable, Sequence
from typing import Any
from uuid import UUID

from sqlalchemy import RowMapping

from services.dispatcher.delivery.pacing import budget_s
from services.dispatcher.delivery.states import (
    MAX_ATTEMPTS,
    RANK,
    Effect,
    Found,
    Outcome,
    Request,
    StateUpdate,
)
from shared.db.session import Tx, execute, fetch

_GIVEN = """
    SELECT g.* FROM unnest(
        CAST(:ids AS uuid[]), CAST(:epochs AS int[]), CAST(:states AS text[]),
        CAST(:ranks AS int[]), CAST(:providers AS text[]), CAST(:sids AS text[]),
        CAST(:codes AS text[]), CAST(:reasons AS text[]), CAST(:delays AS float8[]),
        CAST(:outcomes AS text[]), CAST(:counted AS boolean[]), CAST(:ages AS float8[]),
        CAST(:closed AS boolean[])
    ) AS g(delivery_id, epoch, state, rank, provider, sid, code, reason, delay_s, outcome,
           counted, age_s, closed)
"""

# For how long a delivery is tried, as the hand-over judges it.
_SEVERITIES = ("Extreme", "Severe", "Moderate", "Minor")
_BUDGET_S = "CASE b.severity {} ELSE {} END".format(
    " ".join(f"WHEN '{one}' THEN {budget_s(one)}" for one in _SEVERITIES), budget_s("Unknown")
)


def statement(sql: str) -> str:
    """Return a statement with the number and the unpacking of arrays that several share."""
    numbers = sql.replace("{max_attempts}", str(MAX_ATTEMPTS)).replace("{budget_s}", _BUDGET_S)
    return numbers.replace("{given}", _GIVEN)


_RECORD = statement("""
WITH given AS MATERIALIZED ({given}), tried AS (
    UPDATE dispatcher_attempt AS a SET
        ended_at = clock_timestamp() - make_interval(secs => g.age_s), provider = g.provider,
        sid = COALESCE(a.sid, g.sid), outcome = g.outcome, code = g.code
    FROM given AS g WHERE a.delivery_id = g.delivery_id AND a.epoch = g.epoch
), locked AS MATERIALIZED (
    SELECT d.delivery_id FROM dispatcher_delivery AS d
    WHERE d.delivery_id IN (SELECT g.delivery_id FROM given AS g)
    ORDER BY d.delivery_id FOR UPDATE OF d
)
UPDATE dispatcher_delivery AS d SET
    state = g.state, rank = g.rank, lease_until = NULL,
    due_at = clock_timestamp() + make_interval(secs => g.delay_s),
    attempts = d.attempts + CASE WHEN g.counted AND d.state = 'sending' THEN 1 ELSE 0 END,
    provider = COALESCE(g.provider, d.provider), sid = COALESCE(g.sid, d.sid), code = g.code,
    reason = g.reason,
    handed_over_at = CASE WHEN g.state IN ('accepted', 'sent', 'delivered')
        THEN COALESCE(d.handed_over_at, clock_timestamp() - make_interval(secs => g.age_s))
        ELSE d.handed_over_at END,
    settled_at = CASE WHEN g.rank = 3 THEN clock_timestamp() END
FROM given AS g JOIN locked USING (delivery_id)
WHERE d.delivery_id = g.delivery_id AND d.epoch = g.epoch
  AND ((g.rank BETWEEN 1 AND 2 AND d.rank < g.rank
        AND d.state IN ('sending', 'unknown', 'retry_wait'))
       OR (g.state = 'unknown' AND d.state = 'sending')
       OR (g.rank IN (0, 3) AND g.state <> 'unknown' AND d.state IN ('sending', 'unknown')))
""")

# An attempt's own failure counts only for the attempt the row stands for; good news of any does.
# A retry takes the next epoch at once: the outcome of the attempt that failed may still come.
# A message that has failed is closed: all it can still say that matters is that it arrived.
_RAISE = statement("""
WITH given AS MATERIALIZED ({given}), locked AS MATERIALIZED (
    SELECT d.* FROM dispatcher_delivery AS d
    WHERE d.delivery_id IN (SELECT g.delivery_id FROM given AS g)
    ORDER BY d.delivery_id FOR UPDATE OF d
), judged AS MATERIALIZED (
    SELECT l.delivery_id, l.state AS was, g.epoch, g.provider, g.sid, g.code, g.reason, g.delay_s,
           CASE WHEN l.state NOT IN ('sending', 'unknown', 'retry_wait', 'accepted', 'sent',
                                     'no_receipt') THEN NULL
                WHEN g.closed AND g.state <> 'delivered' THEN NULL
                WHEN g.state IN ('retry_wait', 'undelivered', 'failed', 'expired')
                     AND NOT (l.sid IS NOT DISTINCT FROM g.sid OR (l.sid IS NULL
                              AND COALESCE(g.epoch, l.epoch) = l.epoch)) THEN NULL
                WHEN g.state = 'retry_wait' AND l.state IN ('retry_wait', 'no_receipt') THEN NULL
                WHEN g.state = 'retry_wait' AND (
                     l.attempts >= {max_attempts} OR b.state <> 'live'
                     OR LEAST(b.expires_at, l.created_at + make_interval(secs => {budget_s}))
                        <= clock_timestamp() + make_interval(secs => g.delay_s)) THEN 'undelivered'
                WHEN g.state = 'retry_wait' THEN 'retry_wait'
                WHEN g.rank <= l.rank THEN NULL
                ELSE g.state END AS target
    FROM locked AS l JOIN given AS g USING (delivery_id)
    JOIN dispatcher_broadcast AS b USING (alert_id, version)
), tried AS (
    UPDATE dispatcher_attempt AS a SET sid = COALESCE(a.sid, j.sid),
        provider = COALESCE(a.provider, j.provider), outcome = COALESCE(a.outcome, 'receipt')
    FROM judged AS j
    WHERE a.delivery_id = j.delivery_id AND a.epoch = j.epoch AND j.was IN ('sending', 'unknown')
), moved AS (
    UPDATE dispatcher_delivery AS d SET
        state = j.target, rank = CASE j.target WHEN 'retry_wait' THEN 0 WHEN 'accepted' THEN 1
            WHEN 'sent' THEN 2 ELSE 3 END,
        epoch = d.epoch + CASE j.target WHEN 'retry_wait' THEN 1 ELSE 0 END,
        attempts = d.attempts + CASE WHEN d.state = 'sending' THEN 1 ELSE 0 END,
        lease_until = NULL,
        due_at = CASE j.target WHEN 'retry_wait'
            THEN clock_timestamp() + make_interval(secs => j.delay_s) END,
        provider = j.provider, sid = CASE j.target WHEN 'retry_wait' THEN NULL ELSE j.sid END,
        code = j.code, reason = j.reason,
        handed_over_at = COALESCE(d.handed_over_at, clock_timestamp()),
        delivered_at = CASE j.target WHEN 'delivered' THEN clock_timestamp() END,
        settled_at = CASE WHEN j.target NOT IN ('accepted', 'sent', 'retry_wait')
            THEN clock_timestamp() END
    FROM judged AS j WHERE d.delivery_id = j.delivery_id AND j.target IS NOT NULL
    RETURNING d.delivery_id
)
SELECT j.delivery_id, m.delivery_id IS NOT NULL AS moved
FROM judged AS j LEFT JOIN moved AS m USING (delivery_id)
""")

# Closed stays closed, but what turns out to be with the provider counts as handed over: the
# correction and the report need to know.
_KEEP_EVIDENCE = statement("""
WITH given AS MATERIALIZED ({given}), locked AS MATERIALIZED (
    SELECT d.delivery_id FROM dispatcher_delivery AS d
    WHERE d.delivery_id IN (SELECT g.delivery_id FROM given AS g
                            WHERE g.state IN ('accepted', 'sent', 'delivered'))
    ORDER BY d.delivery_id FOR UPDATE OF d
)
UPDATE dispatcher_delivery AS d SET sid = g.sid, provider = COALESCE(g.provider, d.provider),
    handed_over_at = clock_timestamp() - make_interval(secs => g.age_s)
FROM given AS g JOIN locked USING (delivery_id)
WHERE d.delivery_id = g.delivery_id AND d.rank = 3 AND d.handed_over_at IS NULL
  AND g.state IN ('accepted', 'sent', 'delivered')
""")


async def record_outcomes(tx: Tx, outcomes: Sequence[Outcome]) -> int:
    """Write what came of attempts; a row of a newer epoch or a higher rank stays as it is."""
    written = await execute(tx, _RECORD, **columns(outcomes))
    if written < len(outcomes):
        await keep_evidence(tx, outcomes)
    return written


async def keep_evidence(tx: Tx, records: Iterable[Outcome | StateUpdate | Found]) -> int:
    """Note on closed rows that they were handed over after all."""
    return await execute(tx, _KEEP_EVIDENCE, **columns(records))


async def raise_states(tx: Tx, updates: Sequence[StateUpdate]) -> list[Effect]:
    """Move rows to what receipts report, in their order; say of each what it did."""
    effects: list[Effect] = ["unknown"] * len(updates)
    waiting = list(enumerate(updates))
    while waiting:
        # A statement can move a row once: the second receipt of one delivery waits a round.
        round_: dict[UUID, tuple[int, StateUpdate]] = {}
        later: list[tuple[int, StateUpdate]] = []
        for place, update in waiting:
            if update.delivery_id in round_:
                later.append((place, update))
            else:
                round_[update.delivery_id] = (place, update)
        rows = await fetch(tx, _RAISE, **columns([update for _, update in round_.values()]))
        for row in rows:
            effects[round_[row["delivery_id"]][0]] = "moved" if row["moved"] else "evidence"
        waiting = later
    if "evidence" in effects:
        await keep_evidence(tx, updates)
    return effects


def columns(records: Iterable[Outcome | StateUpdate | Found]) -> dict[str, list[Any]]:
    """Return the records as the arrays GIVEN unpacks, in the order of their ids."""
    ordered = sorted(records, key=lambda one: one.delivery_id)
    return {
        "ids": [one.delivery_id for one in ordered],
        "epochs": [one.epoch for one in ordered],
        "states": [one.state.value for one in ordered],
        "ranks": [RANK[one.state] for one in ordered],
        "providers": [one.provider for one in ordered],
        "sids": [one.sid for one in ordered],
        "codes": [getattr(one, "code", None) for one in ordered],
        "reasons": [getattr(one, "reason", None) for one in ordered],
        "delays": [_delay(one) for one in ordered],
        "outcomes": [getattr(one, "outcome", None) for one in ordered],
        "counted": [getattr(one, "counted", False) for one in ordered],
        "ages": [getattr(one, "age_s", 0.0) for one in ordered],
        "closed": [getattr(one, "closed", False) for one in ordered],
    }


def requests(rows: Iterable[RowMapping]) -> list[Request]:
    """Return rows of id, channel, priority and hash as requests."""
    return [
        Request(row["delivery_id"], row["channel"], row["priority"], row["address_hash"])
        for row in rows
    ]


def _delay(record: Outcome | StateUpdate | Found) -> float | None:
    if isinstance(record, StateUpdate):
        return record.retry_in_s or 0.0
    return record.due_in_s if isinstance(record, Outcome) else None
