"""What replies mean: a table of things people write."""

import pytest

from services.subscriber.inbound.keyword import read_key, read_keyword

STOPS = """stop|Stop.|STOP!!|stop 🛑|STOPALL|stop all|end|END.|quit|cancel|Cancel please|unsubscribe
Unsubscribe me|revoke|opt out|Opt-out|OPTOUT|opt me out please|please stop|STOP PLEASE|pls stop
stop texting me|Stop sending me messages|do not text me|Don't text me anymore|don\u2019t message me
never text this number again|no more texts|no more messages please|leave me alone
take me off this list|remove me|Remove my number|stop the alerts|I want to stop|quit texting me
stop now thanks|hey stop|ALTO|alto por favor|parar|basta|baja|cancelar|no más mensajes
no me manden mensajes|STOP\n|s\u0301top|Stop stop stop|please do not contact me|end it
unsubscribe from all|revoke my subscription""".replace("\n", "|").split("|")


@pytest.mark.shows("R7", "S24", "bad:W12")
@pytest.mark.parametrize("text", [text for text in STOPS if text])
def test_any_reasonable_wording_stops(text: str) -> None:
    """Any case, any punctuation, any of the usual words, also in Spanish."""
    assert read_keyword(text) == "stop"


@pytest.mark.shows("R8", "R9", "S24")
@pytest.mark.parametrize(
    "text",
    [
        "yes",
        "YES",
        "1",
        "resume normal life",
        "start over please",
        "I will start",
        "don't stop",
        "don't stop sending alerts",
        "the bus stop is under water",
        "rain won't stop",
        "end of my road is flooded",
        "is the stop sign on Main St down",
        "help my house is on fire",
        "thanks",
        "ok",
        "",
        "🙂",
        "who is this",
        "never mind",
    ],
)
def test_other_words_change_nothing(text: str) -> None:
    """Neither joins nor leaves: YES is no START, and a bus stop is no STOP."""
    assert read_keyword(text) == "other"


@pytest.mark.shows("R9")
@pytest.mark.parametrize("text", ["START", "start", " Start. ", "UNSTOP", "unstop!"])
def test_only_the_exact_word_starts_again(text: str) -> None:
    """The whole message is the word."""
    assert read_keyword(text) == "start"


@pytest.mark.shows("R7")
@pytest.mark.parametrize("text", ["HELP", "help?", "Info", "AYUDA"])
def test_help_is_heard(text: str) -> None:
    """The whole message is the word."""
    assert read_keyword(text) == "help"


@pytest.mark.shows("R10")
@pytest.mark.parametrize(
    ("pressed", "meaning"), [("9", "stop"), ("1", "other"), ("2", "other"), ("99", "other")]
)
def test_nine_stops_calls(pressed: str, meaning: str) -> None:
    """Only a single 9 does."""
    assert read_key(pressed) == meaning
