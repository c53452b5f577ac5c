"""Texts by Twilio's Messages resource."""

from collections.abc import Collection
from datetime import datetime

from twilio.base import values
from twilio.base.exceptions import TwilioException
from twilio.rest import Client

from services.dispatcher.providers.base import (
    Accepted,
    InvalidAddress,
    Lapsed,
    Message,
    MessageFault,
    receipt_url,
)
from services.dispatcher.providers.twilio_client import TwilioHttp, is_e164, sid_of, unreadable
from shared.clock import Clock

_LONGEST_QUEUE_S = 36_000
_MOST_LOOKED_AT = 200


class TwilioSms:
    """Sends texts from one number or messaging service, and finds them again."""

    name = "twilio"
    channel = "sms"
    can_look_up = True

    def __init__(
        self, client: Client, http: TwilioHttp, *, sender: str, public_url: str, clock: Clock
    ) -> None:
        self._messages = client.messages
        self._http = http
        # A messaging service chooses the number itself.
        self._from = values.unset if sender.startswith("MG") else sender
        self._service = sender if sender.startswith("MG") else values.unset
        self._public_url, self._clock = public_url, clock

    async def send(self, message: Message) -> Accepted:
        """Create the message; it leaves the provider's queue before it expires or never.

        Raises:
            ProviderError: it was refused, or nobody knows.
        """
        if not is_e164(message.address):
            raise InvalidAddress("bad-number", "The number is not in E.164 form")
        if not isinstance(message.body, str) or not message.body.strip():
            raise MessageFault("no-text", "The text is empty")
        left = int((message.expires_at - self._clock.now()).total_seconds())
        if left < 1:
            raise Lapsed("expired", "It expired before it was sent")
        callback = message.callback_url or receipt_url(
            self._public_url, channel="sms", delivery_id=message.delivery_id, epoch=message.epoch
        )
        try:
            created = await self._messages.create_async(
                to=message.address,
                from_=self._from,
                messaging_service_sid=self._service,
                body=message.body,
                status_callback=callback,
                validity_period=min(left, _LONGEST_QUEUE_S),
            )
            return Accepted(*sid_of(created))
        except (ValueError, TypeError, AttributeError, TwilioException) as error:
            raise unreadable(error) from error

    async def look_up(
        self, message: Message, *, since: datetime, taken: Collection[str] = ()
    ) -> Accepted | None:
        """Find the oldest text to this number with our words or reference, created since then.

        The list is filtered by the number alone: a queued text has no date of sending, so the
        provider's date filter would hide it.

        Raises:
            ProviderError: the list cannot be had now.
        """
        second = since.replace(microsecond=0)
        found: Accepted | None = None
        try:
            async for one in await self._messages.stream_async(
                to=message.address, limit=_MOST_LOOKED_AT, page_size=50
            ):
                if one.date_created is None or one.date_created < second:
                    break
                if one.sid not in taken and _ours(one.body or "", message):
                    found = Accepted(*sid_of(one))
        except (ValueError, TypeError, AttributeError, TwilioException) as error:
            raise unreadable(error) from error
        return found

    async def close(self) -> None:
        """Close the session."""
        await self._http.close()


def _ours(body: str, message: Message) -> bool:
    return body == message.body or (bool(message.reference) and message.reference in body)
