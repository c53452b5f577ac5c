"""The table of moves, and the words of notices, without I/O."""

import pytest

from services.dispatcher.delivery.states import ALLOWED, RANK, TERMINAL, DeliveryState, priority_of
from services.dispatcher.delivery.wording.languages import fallback
from services.dispatcher.delivery.wording.notices import notice_text


def test_terminal_states_are_left_by_nothing_but_what_was_suppressed_by_fan_out() -> None:
    assert set(ALLOWED) == set(RANK) == set(DeliveryState)
    for state in TERMINAL:
        again = {DeliveryState.PENDING, DeliveryState.RETRY_WAIT}
        assert ALLOWED[state] == (again if state is DeliveryState.SUPPRESSED else frozenset())
        assert RANK[state] == max(RANK.values())


def test_a_rank_falls_only_into_another_attempt() -> None:
    for state, targets in ALLOWED.items():
        for target in targets:
            if RANK[target] < RANK[state] and state is not DeliveryState.SUPPRESSED:
                assert target is DeliveryState.RETRY_WAIT


@pytest.mark.shows("C4", "M6")
def test_an_exercise_never_shares_a_lane_with_an_alert() -> None:
    for status in ("Exercise", "Test", "System", "Draft"):
        assert priority_of(status=status, severity="Extreme", urgency="Immediate") == "exercise"
    assert priority_of(status="Actual", severity="Severe", urgency="Immediate") == "urgent"
    assert priority_of(status="Actual", severity="Extreme", urgency="Expected") == "routine"
    assert priority_of(status="Actual", severity="Minor", urgency="Immediate") == "routine"


@pytest.mark.shows("R15")
def test_languages_stand_in_for_one_another() -> None:
    known = ["pt-BR", "en-US", "es-US", "es-MX"]
    cases = {
        "es-MX": "es-MX",
        "es-PR": "es-US",
        "es": "es-US",
        "EN-gb": "en-US",
        "pl-PL": "en-US",
        "pt": "pt-BR",
    }
    for wanted, best in cases.items():
        assert fallback(wanted, known)[0] == best
    assert fallback("fr", ["de-DE"]) == ["de-DE"]


def test_notices_are_written_in_the_resident_s_language() -> None:
    def text(template: str, **changes: str) -> tuple[str, str]:
        given = {"channel": "sms", "language": "en-US", **changes}
        return notice_text(
            template, authority="CT Alert", values={"code": "048151", "reason": "lag"}, **given
        )

    assert text("confirm_code")[1].startswith("048151 is your CT Alert code.")
    assert text("confirm_code", language="es-PR")[1].startswith("048151 es su")
    assert "0, 4, 8, 1, 5, 1" in text("confirm_code", channel="voice")[1]
    assert text("duty_page", language="es-US")[1] == "CT Alert needs you: lag"
    with pytest.raises(KeyError):
        notice_text("unheard_of", channel="sms", language="en", authority="", values={})
