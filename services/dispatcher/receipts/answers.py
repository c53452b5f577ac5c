"""What a caller is answered at once, as TwiML; every word is escaped."""

from xml.sax.saxutils import escape

from services.dispatcher.receipts.words import Wish

_HEAD = '<?xml version="1.0" encoding="UTF-8"?>'
# Texts are answered by notices, in the resident's own language and only once.
SILENCE = f"{_HEAD}<Response/>"
_KEYS: dict[Wish, str] = {
    "stop": "You will get no more calls from {name}. Goodbye.",
    "confirm": "Thank you. Your answer has been noted. Goodbye.",
}


def key_answer(wish: Wish, *, authority: str) -> str:
    """Answer a key pressed in a call and hang up."""
    words = _KEYS.get(wish)
    if words is None:
        return f"{_HEAD}<Response><Hangup/></Response>"
    said = escape(words.format(name=authority))
    return f'{_HEAD}<Response><Say language="en-US">{said}</Say><Hangup/></Response>'
