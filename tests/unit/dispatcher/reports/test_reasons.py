"""Why a delivery failed is always one of a closed list."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.dispatcher.reports.reasons import REASONS, reason_of

CLOSED = ("failed", "undelivered", "suppressed", "expired", "cancelled", "superseded", "no_receipt")


@pytest.mark.shows("P1")
@given(st.sampled_from(CLOSED), st.none() | st.text())
def test_every_reason_is_listed(state: str, reason: str | None) -> None:
    assert reason_of(state, reason) in REASONS


@pytest.mark.parametrize(("state", "reason", "given_as"), [
    ("failed", "invalid_address", "invalid_address"), ("undelivered", "landline", "landline"),
    ("suppressed", "stop", "opted_out"), ("suppressed", None, "opted_out"),
    ("cancelled", "stopped", "cancelled"), ("expired", "deadline", "expired"),
    ("failed", "attempts_used", "attempts_used"), ("undelivered", "busy", "no_answer"),
    ("failed", "something new", "other"),
])  # fmt: skip
def test_the_rooms_words_in_the_reports(state: str, reason: str | None, given_as: str) -> None:
    assert reason_of(state, reason) == given_as
