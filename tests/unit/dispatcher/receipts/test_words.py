"""A corpus of replies and what they mean."""

import pytest

from services.dispatcher.receipts.words import read_key, read_text

STOPS = """
stop|Stop.|STOP!|STOPALL|stop all|end|quit|cancel|unsubscribe|Unsubscribe me|revoke|opt out|OPT-OUT
optout|please stop|Stop please|stop texting me|STOP SENDING ME MESSAGES|stop these alerts|stopp
I want to opt out|opt me out|take me off this list|Remove me from your list|remove my number
no more texts|No more messages please|don't text me|Don't ever text me again|DO NOT CONTACT ME
do not send me alerts|leave me alone|wrong number|I revoke consent|i withdraw my consent
I no longer want these|not interested|quit texting me|stop it now|Stop 🛑|🛑STOP🛑|S\u0301top
ALTO|alto por favor|parar|cancelar|BAJA|basta|no me manden mensajes|no me envíen más
deje de enviar mensajes|quiero darme de baja|no quiero más mensajes|no más mensajes|ya no quiero
please cancel|just stop|thanks, stop|unsub|\uff53\uff54\uff4f\uff50
"""
OTHERS = """
resume normal life|the bus stop on Main is flooded|stop sign down at Elm St|don't stop
dont stop the alerts
never stop|do not unsubscribe me|1860|06510|what is this?|ok|thanks|yes|YES|help me I am trapped
is this real|the road ends at the bridge|cancel culture is real|quitting time|call me|starting now|
restart|start over|START please|help please|I need help|1 yes|11
"""


def split(table: str) -> list[str]:
    return [one for line in table.strip().splitlines() for one in line.split("|")]


@pytest.mark.shows("R7", "S24", "bad:W12")
@pytest.mark.parametrize("body", split(STOPS))
def test_any_reasonable_wording_stops(body: str) -> None:
    assert read_text(body) == "stop"


@pytest.mark.shows("R7", "R8", "R9")
@pytest.mark.parametrize("body", split(OTHERS))
def test_what_only_looks_like_it_does_not(body: str) -> None:
    assert read_text(body) == "other"


@pytest.mark.shows("R7", "R8", "R9")
@pytest.mark.parametrize(
    ("body", "wish"),
    [("HELP", "help"), ("help!", "help"), ("INFO", "help"), ("Ayuda", "help"), ("START", "start"),
     ("start.", "start"), ("unstop", "start"), ("1", "confirm"), (" 1. ", "confirm"),
     ("", "other"), ("🛑", "other"), ("\x00", "other"), ("stop" * 5000, "other")],
)  # fmt: skip
def test_the_exact_words(body: str, wish: str) -> None:
    assert read_text(body) == wish


def test_keys() -> None:
    assert [read_key(key) for key in ("9", "1", "2", "99", "")] == [
        "stop", "confirm", "other", "other", "other",
    ]  # fmt: skip
