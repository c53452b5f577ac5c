"""How entries of the directory are read: telephone numbers as E.164, names and notes as plain text.

A 9-1-1 call that falls out of the network, or comes from another centre, must ring: a number here
is one line in the United States, without an extension, and not one that others pay for.
"""

import unicodedata

import phonenumbers
from phonenumbers import NumberParseException, PhoneNumberFormat, PhoneNumberType

LONGEST_NUMBER = 40
_PUNCTUATION = frozenset("+-.() ")
_LINES = frozenset(
    {
        PhoneNumberType.FIXED_LINE,
        PhoneNumberType.MOBILE,
        PhoneNumberType.FIXED_LINE_OR_MOBILE,
    }
)
_KINDS = {
    PhoneNumberType.TOLL_FREE: ("toll-free", "A toll-free number does not ring straight through."),
    PhoneNumberType.PREMIUM_RATE: ("premium", "A premium-rate number cannot be used."),
}
_MOST_MARKS = 3


class EntryRefused(Exception):
    """An entry that cannot be used: a short code, a sentence, and never what was entered."""

    def __init__(self, code: str, detail: str) -> None:
        super().__init__(code)
        self.code = code
        self.detail = detail


def read_number(raw: str, *, toll_free: bool = False) -> str:
    """Return a telephone number as E.164; toll-free ones only where no call has to ring through.

    Raises:
        EntryRefused: it is not one dialable number of the United States.
    """
    if len(raw) > LONGEST_NUMBER or not raw.isascii() or not raw.strip(" "):
        raise EntryRefused("not-a-number", "This is not a telephone number.")
    if any(letter.isalpha() or letter in "#;,=" for letter in raw):
        raise EntryRefused("not-a-number", "Write one number in digits, without an extension.")
    if not all(letter.isdigit() or letter in _PUNCTUATION for letter in raw):
        raise EntryRefused("not-a-number", "This is not a telephone number.")
    if sum(letter.isdigit() for letter in raw) < 10:
        raise EntryRefused("short-code", "A number of ten digits is needed.")
    try:
        number = phonenumbers.parse(raw, "US")
    except NumberParseException:
        raise EntryRefused("not-a-number", "This is not a telephone number.") from None
    if number.country_code != 1 or not phonenumbers.is_valid_number(number):
        raise EntryRefused("invalid-number", "There is no such number in the United States.")
    kind = phonenumbers.number_type(number)
    if kind == PhoneNumberType.TOLL_FREE and toll_free:
        return phonenumbers.format_number(number, PhoneNumberFormat.E164)
    if kind not in _LINES:
        raise EntryRefused(*_KINDS.get(kind, ("kind-not-allowed", "This number is no line.")))
    if phonenumbers.region_code_for_number(number) != "US":
        raise EntryRefused("region-not-allowed", "Only numbers of the United States are kept.")
    return phonenumbers.format_number(number, PhoneNumberFormat.E164)


def read_text(raw: str, *, most: int, lines: bool = False) -> str:
    """Return a text in NFC without space around it, at most so many characters.

    Raises:
        EntryRefused: it is too long or holds characters that cannot be seen or pile up (S33).
    """
    text = unicodedata.normalize("NFC", raw.replace("\r\n", "\n")).strip()
    if len(text) > most:
        raise EntryRefused("too-long", f"At most {most} characters are kept.")
    marks = 0
    for letter in text:
        category = unicodedata.category(letter)
        marks = marks + 1 if category in ("Mn", "Me") else 0
        hidden = category in ("Cc", "Cf", "Cs", "Co", "Cn", "Zl", "Zp")
        if marks > _MOST_MARKS or (hidden and not (lines and letter == "\n")):
            raise EntryRefused("control-char", "The text holds characters that cannot be seen.")
    return text
