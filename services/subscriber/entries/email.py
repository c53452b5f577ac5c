"""E-mail addresses: one plain address, lower-case, its domain as punycode."""

import re
import unicodedata

from email_validator import EmailNotValidError, validate_email

from services.subscriber.entries.refusal import Refusal

LONGEST = 254
LONGEST_LOCAL = 64
_TWO_ADDRESSES = re.compile(r"[,;]|@.*@")


def read_email(raw: str) -> str:
    """Return the address in lower case; whether it exists is shown by the code sent there.

    The local part is lowered too: no provider in use tells A@ from a@, and residents do not.

    Raises:
        Refusal: it is no single plain address.
    """
    text = raw.strip(" ")
    if not text:
        raise Refusal("required", "An e-mail address is needed.")
    # aiosmtplib cuts an address at CR LF in silence: what follows must never come so far.
    if any(unicodedata.category(c) in {"Cc", "Cf", "Zl", "Zp"} for c in text):
        raise Refusal("control-char", "The address holds characters that cannot be seen.")
    if len(text) > LONGEST:
        raise Refusal("too-long", "The address is too long.")
    if _TWO_ADDRESSES.search(text):
        raise Refusal("one-address", "Send one address for each contact point.")
    if len(text.partition("@")[0]) > LONGEST_LOCAL:
        raise Refusal("too-long", "The part before the @ is too long.")
    try:
        found = validate_email(text, check_deliverability=False, allow_smtputf8=False)
    except EmailNotValidError:
        raise Refusal("not-an-address", "This is not an e-mail address.") from None
    if found.ascii_email is None:
        raise Refusal("not-an-address", "Only plain letters may stand before the @.")
    return found.ascii_email.lower()
