"""What a provider takes and gives, and the family of its failures.

ProviderError
├── NotProcessed          surely not accepted: safe to send again (retryable)
│   ├── Unreachable       no connection, or lost before anything could be accepted
│   ├── TooMany           asked to slow down; not an attempt
│   └── Temporary         the provider or its network says: later
├── Ambiguous             may have been accepted: look up before any resend
├── Misconfigured         account, sender or server: stop this provider and page
└── Refused               will never be accepted as it is
    ├── InvalidAddress    the address is no address
    ├── OptedOut          its owner has told the provider STOP
    ├── MessageFault      our mistake: page, mark no address
    └── Lapsed            too late
"""

from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Protocol
from uuid import UUID

# Webhook retries on every failure, 5 times; connect 3 s, read 1.5 s (the default is 1 on connect).
_OVERRIDES = "#rc=5&rp=all&ct=3000&rt=1500"

# Clocks differ, and the provider's dates are whole seconds.
CLOCK_SLACK_S = 2
# A call asked for is listed by then or never: longer than a request lasts, and what takes it late.
CALL_LISTED_WITHIN_S = 60


@dataclass(frozen=True, slots=True)
class Message:
    """One text, call or mail to one address.

    A mail's body is text, or bytes made by `mail.prebuild`; `callback_url` None means the usual
    one; `dated` goes into a mail's Date, so that a resend is the same mail.
    """

    delivery_id: UUID
    epoch: int
    channel: str
    address: str
    reference: str
    subject: str | None
    body: str | bytes
    language: str
    expires_at: datetime
    callback_url: str | None = None
    unsubscribe_url: str | None = None
    dated: datetime | None = None


@dataclass(frozen=True, slots=True)
class Accepted:
    """The provider has taken it, under this id and in this first status."""

    sid: str
    status: str


class ProviderError(Exception):
    """A failed hand-over: its code, a sentence for people, and what the pacing needs to know.

    `most_tries` bounds the attempts for this reason, `waits_s` are the pauses between them;
    `counts` says whether it was an attempt at all.
    """

    retryable = False
    ambiguous = False
    opted_out = False
    configuration = False
    invalid_address = False
    page = False
    counts = True

    def __init__(
        self,
        code: str,
        sentence: str,
        *,
        retry_after_s: float | None = None,
        most_tries: int | None = None,
        waits_s: tuple[float, ...] = (),
        page: bool | None = None,
    ) -> None:
        super().__init__(f"{code}: {sentence}")
        self.code = code
        self.sentence = sentence
        self.retry_after_s = retry_after_s
        self.most_tries = most_tries
        self.waits_s = waits_s
        if page is not None:
            self.page = page

    def __reduce__(self) -> tuple[Any, ...]:
        return type(self), (self.code, self.sentence)


class NotProcessed(ProviderError):
    """Surely not accepted; the same message may be sent again."""

    retryable = True


class Unreachable(NotProcessed):
    """There was no connection, or it was lost before anything could be accepted."""


class TooMany(NotProcessed):
    """The provider asked to slow down; this was not an attempt."""

    counts = False


class Temporary(NotProcessed):
    """The provider, or what lies behind it, cannot do it now."""


class Ambiguous(ProviderError):
    """Nobody knows whether it was accepted."""

    ambiguous = True


class Misconfigured(ProviderError):
    """The account, the sender or the server will not do; nothing to do with this recipient."""

    configuration = True
    page = True
    counts = False


class Refused(ProviderError):
    """It will never be accepted as it is."""


class InvalidAddress(Refused):
    """The address is no address of this channel."""

    invalid_address = True


class OptedOut(Refused):
    """The address has told the provider STOP."""

    opted_out = True


class MessageFault(Refused):
    """What we sent was malformed; the address is not to blame."""

    page = True


class Lapsed(Refused):
    """Its time is over."""


class Provider(Protocol):
    """One way out of the house."""

    name: str
    channel: str
    can_look_up: bool

    async def send(self, message: Message) -> Accepted:
        """Hand one message over.

        Raises:
            ProviderError: the family above; nothing else leaves a provider.
        """
        ...

    async def look_up(
        self, message: Message, *, since: datetime, taken: Collection[str] = ()
    ) -> Accepted | None:
        """Find out whether a message was accepted since a moment; `taken` are ids of others.

        Raises:
            ProviderError: the provider cannot tell now.
        """
        ...

    async def close(self) -> None:
        """Close every connection."""
        ...


def receipt_url(public_url: str, *, channel: str, delivery_id: UUID, epoch: int) -> str:
    """Return the address a provider reports to, with how it is to retry."""
    return f"{public_url}/v1/receipts/twilio/{channel}/{delivery_id}?epoch={epoch}{_OVERRIDES}"
