"""Composes mails: what all recipients share is built once, each one's headers are put before it."""

import re
from dataclasses import dataclass
from email.message import EmailMessage
from email.policy import SMTP
from email.utils import format_datetime, formataddr, parseaddr
from functools import lru_cache

from services.dispatcher.providers.base import InvalidAddress, Message, MessageFault
from shared.clock import Clock

# ASCII addresses with a dotted domain; the pattern has no place for a space, CR, LF or comma.
_ADDRESS = re.compile(
    r"(?=[^@]{1,64}@)[A-Za-z0-9!#$%&'*+/=?^_`{|}~-]+(?:\.[A-Za-z0-9!#$%&'*+/=?^_`{|}~-]+)*"
    r"@(?=.{4,253}\Z)(?:[A-Za-z0-9](?:[A-Za-z0-9-]{0,61}[A-Za-z0-9])?\.)+"
    r"[A-Za-z](?:[A-Za-z0-9-]{0,61}[A-Za-z0-9])"
)
_URL = re.compile(r"https?://[!-;=?-~]+")
_UNFIT = re.compile(r"[\x00-\x1f\x7f]")


def check_address(address: str) -> str:
    """Return the address if it can stand in a command and a header.

    Raises:
        InvalidAddress: it cannot.
    """
    if _ADDRESS.fullmatch(address) is None:
        raise InvalidAddress("bad-address", "The e-mail address is not a plain address")
    return address


@dataclass(frozen=True, slots=True)
class Envelope:
    """A mail ready for the wire: addresses, id, and its bytes with dots doubled (no final dot)."""

    sender: str
    recipient: str
    message_id: str
    data: bytes


class Composer:
    """Writes mails from one sender."""

    def __init__(self, sender: str, *, clock: Clock) -> None:
        name, address = parseaddr(sender)
        if _UNFIT.search(sender):
            raise ValueError("the sender holds a control character")
        self.address = check_address(address)
        self._domain = address.rpartition("@")[2]
        self._from = formataddr((name, address))
        self._clock = clock

    def compose(self, message: Message) -> Envelope:
        """Put one recipient's headers before the shared part.

        The same delivery has the same Message-ID whichever attempt this is, and the same Date
        when the caller dates it.

        Raises:
            InvalidAddress, MessageFault: an address, subject or link would not be plain.
        """
        recipient = check_address(message.address)
        shared = (
            message.body
            if isinstance(message.body, bytes)
            else prebuild(message.subject or "", message.body, message.language)
        )
        message_id = f"<{message.delivery_id}@{self._domain}>"
        lines = [
            f"From: {self._from}",
            f"To: {recipient}",
            f"Date: {format_datetime(message.dated or self._clock.now())}",
            f"Message-ID: {message_id}",
            f"X-CT-Delivery: {message.delivery_id}/{message.epoch}",
            "Auto-Submitted: auto-generated",
        ]
        if message.unsubscribe_url is not None:
            if _URL.fullmatch(message.unsubscribe_url) is None:
                raise MessageFault("bad-link", "The unsubscribe link is not plain")
            # RFC 8058: both, or no mail program offers the one click.
            lines.append(f"List-Unsubscribe: <{message.unsubscribe_url}>")
            lines.append("List-Unsubscribe-Post: List-Unsubscribe=One-Click")
        head = "\r\n".join(lines).encode("ascii") + b"\r\n"
        return Envelope(self.address, recipient, message_id, head + shared)


@lru_cache(maxsize=256)
def prebuild(subject: str, text: str, language: str) -> bytes:
    """Build what all recipients of a text share: subject, type and body, dots doubled.

    Raises:
        MessageFault: the subject holds a control character, or there is no text.
    """
    if _UNFIT.search(subject):
        raise MessageFault("bad-subject", "The subject holds a control character")
    if not text.strip():
        raise MessageFault("no-text", "The mail is empty")
    mail = EmailMessage(policy=SMTP)
    mail["Subject"] = subject
    if re.fullmatch(r"[A-Za-z0-9-]{2,35}", language):
        mail["Content-Language"] = language
    mail.set_content(text, cte="quoted-printable")
    data = mail.as_bytes()
    return data.replace(b"\r\n.", b"\r\n..")
