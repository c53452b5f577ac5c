"""What a reply means: any reasonable wording stops, only the exact word starts again (R7-R9)."""

import re
import unicodedata
from typing import Literal

Meaning = Literal["stop", "start", "help", "other"]

_STOP = frozenset(
    "stop stopall stopp end quit cancel unsubscribe unsub revoke optout remove "
    "alto pare parar basta cancelar baja detener arret arreter przestan".split()
)
# Words that change nothing about what a stop word means.
_FILLER = frozenset(
    "please pls plz now thanks thank you i id we want would like to the a an all any this these "
    "it its me my us from of off for and just ok okay sir hey hi hello messages message "
    "texts text texting alerts alert alerting sms msg msgs notifications sending send service "
    "subscription number phone list ct yes immediately today por favor ya los las el la mis "
    "mensajes alertas textos gracias".split()
)
_STOP_PHRASES = re.compile(
    r"\b(?:opt (?:me |us )?out|"
    r"(?:do not|dont|never|quit|stop) (?:ever )?"
    r"(?:text|texting|message|messaging|contact|contacting|call|calling|alert|alerting|send"
    r"|sending|email|emailing)(?: (?:me|us|this number|anything|any more|anymore|again))"
    r"|no more (?:texts|text messages|messages|alerts|calls|emails)|leave me alone"
    r"|take (?:me|this number|my number) off|remove (?:me|this number|my number)"
    r"|no mas (?:mensajes|alertas|textos)|no me (?:escriban|llamen|manden|envien))\b"
)
_START = frozenset({"start", "unstop", "comenzar", "iniciar"})
_HELP = frozenset({"help", "info", "ayuda", "aide", "pomoc"})
# Nobody says stop in more words than this; what is longer tells of something else.
_MOST_WORDS = 20


def read_keyword(text: str) -> Meaning:
    """Return what a resident's text asks for."""
    words = _words(text)
    if not words or len(words) > _MOST_WORDS:
        return "other"
    whole = " ".join(words)
    if whole in _START:
        return "start"
    if whole in _HELP:
        return "help"
    plain = all(word in _STOP or word in _FILLER for word in words)
    if (plain and any(word in _STOP for word in words)) or _STOP_PHRASES.search(whole):
        return "stop"
    return "other"


def read_key(pressed: str) -> Meaning:
    """Return what a key pressed during a call asks for: 9 stops, all others change nothing."""
    return "stop" if pressed.strip() == "9" else "other"


def _words(text: str) -> list[str]:
    decomposed = unicodedata.normalize("NFKD", text.casefold())
    letters = "".join(c for c in decomposed if not unicodedata.combining(c))
    letters = re.sub(r"['\u2019`]", "", letters)
    return re.findall(r"[^\W_]+", letters)
