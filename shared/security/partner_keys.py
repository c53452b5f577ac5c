"""The form of a partner's API key, by which nonsense is told from a key without a look-up."""

import re

PARTNER_ROLES = frozenset({"partner"})
# For documents and tests; its prefix can be nobody's by more than chance.
EXAMPLE = "ctp_" + "0" * 12 + "_" + "0" * 43
# How the dispatcher names its refusal: any other 404 says nothing of the key.
UNKNOWN = "unknown-partner"
_FORM = re.compile(r"ctp_([a-z0-9]{12})_([A-Za-z0-9_\-]{43})")


def prefix_of(text: str) -> str | None:
    """Return the prefix of a key, or None if the text has not the form of one."""
    found = _FORM.fullmatch(text)
    return found[1] if found else None
