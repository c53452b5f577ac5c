"""The table of an alert's moves is the whole of what may happen."""

from itertools import product

import pytest

from services.dispatcher.alerts.states import (
    MOVES,
    TERMINAL,
    AlertState,
    MoveRefused,
    move,
    sources,
)

S = AlertState
EVENTS = sorted({event for _, event in MOVES})


@pytest.mark.shows("bad:A25")
@pytest.mark.parametrize(("state", "event"), list(product(AlertState, EVENTS)))
def test_what_is_not_listed_is_refused(state: AlertState, event: str) -> None:
    if (state, event) in MOVES:
        assert move(state, event) is MOVES[state, event]
    else:
        with pytest.raises(MoveRefused):
            move(state, event)


def test_the_ends_are_the_ends() -> None:
    assert {S.REJECTED, S.LAPSED, S.CANCELLED, S.SUPERSEDED, S.EXPIRED} == TERMINAL


def test_only_what_awaits_approval_is_approved() -> None:
    assert sources("approve") == ["pending_approval"]
    assert set(sources("cancel")) == {"approved", "dispatching", "sent"}
