"""What SMTP replies mean: the first digit decides, the enhanced code refines (RFC 5321, 3463)."""

import re
from typing import Literal

from services.dispatcher.providers import base

Stage = Literal["connect", "mail", "rcpt", "data", "dot"]
_ENHANCED = re.compile(r"\s*([245]\.\d{1,3}\.\d{1,3})(?:\s|$)")
_HOUR = 3600.0
_WAITS_S = (60.0, 300.0, 900.0, _HOUR)
_NO_MAILBOX = frozenset({"5.1.1", "5.1.2", "5.1.3", "5.1.6", "5.1.10", "5.2.1"})
_OUR_ACCOUNT = frozenset({"5.7.8", "5.1.8"})
_OUR_MESSAGE = frozenset({"5.3.4", "5.2.3"})


def enhanced_code(text: str) -> str | None:
    """Return the enhanced status code that a reply's text begins with, or None."""
    found = _ENHANCED.match(text)
    return found[1] if found else None


def reply_error(code: int, text: str, stage: Stage) -> base.ProviderError:
    """Return the error that a refusal means at the stage it came."""
    detail = enhanced_code(text)
    name = f"{code} {detail}" if detail else str(code)
    if 400 <= code < 500:
        return base.Temporary(name, _later(code), waits_s=_WAITS_S)
    if not 500 <= code < 600:
        # Neither yes nor no: after the dot it may have been a yes.
        kind = base.Ambiguous if stage == "dot" else base.Temporary
        return kind(name, "The server gave a reply that means nothing here")
    if code in (530, 534, 535, 538) or detail in _OUR_ACCOUNT:
        return base.Misconfigured(name, "The mail server does not accept our account")
    if stage in ("connect", "mail") and (detail is None or detail.startswith("5.7.")):
        return base.Misconfigured(name, "The mail server does not accept our sender")
    if detail in _NO_MAILBOX:
        return base.InvalidAddress(name, "There is no such mailbox")
    if detail == "5.2.2":
        return base.Refused(name, "The mailbox is full")
    if detail in _OUR_MESSAGE or (detail or "").startswith("5.6.") or code == 552:
        return base.MessageFault(name, "The mail server cannot take what we sent")
    if code in (500, 501, 502, 503, 504, 555):
        return base.MessageFault(name, "The mail server did not understand us")
    return base.Refused(name, "The mail server refuses this mail")


def _later(code: int) -> str:
    if code == 421:
        return "The mail server is closing its connections"
    return "The mail server says: later"
