"""What residents mean by a text or a key: stop, help, start, or something for others to read."""

import re
import unicodedata
from typing import Literal

Wish = Literal["stop", "help", "start", "confirm", "other"]

_STOP_WORDS = frozenset(
    "stop stopall end quit cancel unsubscribe revoke optout unsub remove "
    "alto parar pare cancelar basta baja detener stopp".split()
)
# What people put around a stop word; anything else makes it a sentence about something.
_FILLERS = frozenset(
    "please pls plz now it this these those all the my me texts text messages message msgs msg "
    "alerts alert texting messaging sending notifications sms and i want to would like just ok "
    "okay thanks thank you u sir immediately asap from for good "
    "por favor ya los las mensajes alertas gracias quiero de".split()
)
# A plain wish to stop has no more words than this.
_MOST_WORDS = 12
_HELP_WORDS = frozenset({"help", "info", "ayuda"})
_START_WORDS = frozenset({"start", "unstop", "comenzar", "iniciar"})
# Sentences that can only mean one thing (FCC 2025: any reasonable wording is a revocation).
_STOP_PHRASES = re.compile(
    r"\b(?:opt(?:ing)? (?:me )?out"
    r"|unsubscribe (?:me|my)"
    r"|(?:take|get) (?:me|my (?:number|phone)|this number) (?:off|from|out)"
    r"|(?:remove|delete) (?:me|my (?:number|phone)|this number)"
    r"|(?:stop|quit) (?:texting|messaging|sending|contacting|bothering|spamming|alerting)"
    r"|stop (?:all )?(?:these|the|your|my|those) (?:texts?|messages?|alerts?|notifications?)"
    r"|(?:do not|dont|never) (?:ever )?(?:text|message|contact|send|alert) (?:me|to me|this|any)"
    r"|no more (?:texts?|messages?|alerts?|notifications?|sms)"
    r"|(?:i )?(?:revoke|withdraw) (?:my )?consent"
    r"|leave me alone|wrong number"
    r"|no (?:longer|more) (?:want|wish|interested)|not interested"
    r"|no me (?:mande|manden|envie|envien|escriba|escriban|molesten?)"
    r"|deje?n? de (?:mandar|enviar|escribir|molestar)\w*"
    r"|(?:dar(?:me)?|quiero) (?:de )?(?:la )?baja|ya no quiero|no quiero (?:mas|recibir)"
    r"|no mas (?:mensajes|alertas|textos)|quitenme|borrenme)\b"
)
_UNNEGATED = re.compile(r"\b(?:dont|do not|never|not|no) (?:opt out|stop|unsubscribe|quit)\b")


def read_text(body: str) -> Wish:
    """Read a text as a resident meant it.

    START, HELP and 1 count only when they are the whole text; STOP in any reasonable wording.
    """
    words = _plain(body).split()
    text = " ".join(words)
    if len(words) == 1 and text not in _STOP_WORDS:
        if text in _HELP_WORDS:
            return "help"
        if text in _START_WORDS:
            return "start"
        return "confirm" if text == "1" else "other"
    if not words or _UNNEGATED.search(text):
        return "other"
    spoken = set(words)
    plain = len(words) <= _MOST_WORDS and spoken <= _STOP_WORDS | _FILLERS
    if _STOP_PHRASES.search(text) or text == "opt out" or (plain and spoken & _STOP_WORDS):
        return "stop"
    return "other"


def read_key(digits: str) -> Wish:
    """Read the key pressed in a call: 9 leaves, 1 confirms."""
    if digits == "9":
        return "stop"
    return "confirm" if digits == "1" else "other"


def _plain(body: str) -> str:
    """Drop case, accents, emoji and punctuation; an apostrophe joins, all else parts words."""
    folded = unicodedata.normalize("NFKD", body[:2000]).casefold()
    letters = []
    for character in folded:
        if character in "'’`":  # noqa: RUF001 (what phones type)
            continue
        if unicodedata.category(character).startswith("M"):
            continue
        letters.append(character if character.isalnum() else " ")
    return "".join(letters)
