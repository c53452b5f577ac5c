"""Telephone numbers: one North American number of a kind that pumps no money, as E.164."""

import re
import unicodedata

import phonenumbers
from phonenumbers import NumberParseException, PhoneNumber, PhoneNumberType

from services.subscriber.entries.refusal import Refusal

LONGEST = 40
# S21: where texts cost what they cost here; the rest of +1 is how numbers are pumped.
REGIONS = frozenset({"US", "PR", "VI", "GU", "AS", "MP"})
_KINDS = frozenset(
    {
        PhoneNumberType.FIXED_LINE,
        PhoneNumberType.MOBILE,
        PhoneNumberType.FIXED_LINE_OR_MOBILE,
    }
)
_REFUSED_KINDS = {
    PhoneNumberType.TOLL_FREE: Refusal("toll-free", "Toll-free numbers cannot be alerted."),
    PhoneNumberType.PREMIUM_RATE: Refusal("premium", "Premium-rate numbers cannot be alerted."),
}
_TWO_NUMBERS = re.compile(r"[,/&|]")
_EXTENSION = re.compile(r"(?i)(?:ext|x|#)[.\s]*\d*\s*$")
_PARAMETERS = re.compile(r"(?i)tel:|;|=|:")
_PUNCTUATION = frozenset("+-.() \u00a0\u2010\u2011\uff0b")


def read_phone(raw: str) -> str:
    """Return the number as E.164.

    Digits of any script are read as the digits they are, so that no number gets two records.

    Raises:
        Refusal: it is no single dialable number of the regions and kinds we serve.
    """
    text = raw.strip(" ")
    if not text:
        raise Refusal("required", "A telephone number is needed.")
    if any(unicodedata.category(c) in {"Cc", "Cf", "Zl", "Zp"} for c in text):
        raise Refusal("control-char", "The number holds characters that cannot be seen.")
    if len(text) > LONGEST:
        raise Refusal("too-long", "The number is too long.")
    if _PARAMETERS.search(text):
        raise Refusal("not-a-number", "Send the number alone.")
    if _TWO_NUMBERS.search(text):
        raise Refusal("one-number", "Send one number for each contact point.")
    if _EXTENSION.search(text):
        raise Refusal("extension", "Numbers with an extension cannot be alerted.")
    number = _parse(text)
    if any(c.isalpha() for c in text):
        raise _REFUSED_KINDS.get(
            phonenumbers.number_type(number), Refusal("letters", "Write the number in digits.")
        )
    if not all(c in _PUNCTUATION or c.isdecimal() for c in text):
        raise Refusal("not-a-number", "Send the number alone.")
    if sum(c.isdecimal() for c in text) <= 6:
        raise Refusal("short-code", "Short codes cannot be alerted.")
    return _judge(number)


def _parse(text: str) -> PhoneNumber:
    try:
        return phonenumbers.parse(text, "US")
    except NumberParseException:
        raise Refusal("not-a-number", "This is not a telephone number.") from None


def _judge(number: PhoneNumber) -> str:
    if number.country_code != 1:
        raise Refusal("region-not-allowed", "Only numbers of the United States can be alerted.")
    if not phonenumbers.is_valid_number(number):
        raise Refusal("invalid-number", "There can be no such number.")
    kind = phonenumbers.number_type(number)
    if kind in _REFUSED_KINDS:
        raise _REFUSED_KINDS[kind]
    if phonenumbers.region_code_for_number(number) not in REGIONS:
        raise Refusal("region-not-allowed", "Only numbers of the United States can be alerted.")
    if kind not in _KINDS:
        raise Refusal("kind-not-allowed", "Numbers of this kind cannot be alerted.")
    return phonenumbers.format_number(number, phonenumbers.PhoneNumberFormat.E164)
