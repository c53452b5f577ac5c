"""Masks phones and e-mail addresses, so that logs and reports can be read by anybody."""

import re

_DIGITS = r"\(?\d(?:[\s().-]{0,2}\d){9,14}"
# With a plus (also as an address writes it) a phone, whatever is beside it; without one it could
# be part of an id or a time.
_PHONE = re.compile(rf"(?:\+|%2[Bb]){_DIGITS}|(?<![\w.-]){_DIGITS}(?![\w:-])")
# Bounded, or a long text without any address would be looked at from each of its letters on.
_EMAIL = re.compile(r"[\w.+%'-]{1,64}(?:@|%40)[\w-]{1,63}(?:\.[\w-]{1,63})+", re.UNICODE)


def mask_phone(phone: str) -> str:
    """Keep the last two digits."""
    digits = [c for c in phone if c.isdigit()]
    return "+***" + "".join(digits[-2:])


def mask_email(email: str) -> str:
    """Keep the first letter and the last part of the domain."""
    local, _, domain = email.partition("@")
    return f"{local[:1]}***@***.{domain.rpartition('.')[2]}"


def mask_address(address: str) -> str:
    """Mask a phone or an e-mail address, whichever it is."""
    return mask_email(address) if "@" in address else mask_phone(address)


def mask_text(text: str) -> str:
    """Mask every phone and e-mail address inside a text."""
    if "@" in text or "%40" in text:
        text = _EMAIL.sub(lambda found: mask_email(found[0].replace("%40", "@")), text)
    return _PHONE.sub(lambda found: mask_phone(found[0]), text)
