"""Calls by Twilio's Calls resource: the words are spoken from TwiML that travels with the call."""

from collections.abc import Collection
from datetime import datetime, timedelta
from xml.sax.saxutils import escape, quoteattr

from twilio.base.exceptions import TwilioException
from twilio.rest import Client

from services.dispatcher.providers.base import (
    CALL_LISTED_WITHIN_S,
    CLOCK_SLACK_S,
    Accepted,
    InvalidAddress,
    Lapsed,
    Message,
    MessageFault,
    receipt_url,
)
from services.dispatcher.providers.twilio_client import TwilioHttp, is_e164, sid_of, unreadable
from shared.clock import Clock

_LONGEST_TWIML = 4000
_RING_S = 30
_MOST_LOOKED_AT = 50
# From the earliest a call can be dated to the latest.
_LISTED_WITHIN = timedelta(seconds=CALL_LISTED_WITHIN_S + 2 * CLOCK_SLACK_S)
# What the receipts need to know: somebody or something answered, and how it ended.
_EVENTS = ["answered", "completed"]
_VOICES = {
    "en": "en-US",
    "es": "es-MX",
    "pt": "pt-BR",
    "pl": "pl-PL",
    "fr": "fr-FR",
    "it": "it-IT",
    "zh": "cmn-CN",
    "ru": "ru-RU",
}


def speak(words: str, *, language: str, keys_url: str) -> str:
    """Write the TwiML that says the words twice and takes one key; every character is escaped.

    Raises:
        MessageFault: it is longer than the provider takes.
    """
    voice = language if "-" in language else _VOICES.get(language, "en-US")
    twiml = (
        f'<Response><Gather numDigits="1" timeout="5" action={quoteattr(keys_url)}>'
        f'<Say loop="2" language={quoteattr(voice)}>{escape(words)}</Say></Gather></Response>'
    )
    if len(twiml) > _LONGEST_TWIML:
        raise MessageFault("too-long", "The spoken text is too long for one call")
    return twiml


class TwilioVoice:
    """Makes calls from one number, leaves the words on a machine, and finds calls again."""

    name = "twilio"
    channel = "voice"
    can_look_up = True

    def __init__(
        self, client: Client, http: TwilioHttp, *, sender: str, public_url: str, clock: Clock
    ) -> None:
        self._calls = client.calls
        self._http = http
        self._from = sender
        self._public_url, self._clock = public_url, clock

    async def send(self, message: Message) -> Accepted:
        """Place the call.

        Raises:
            ProviderError: it was refused, or nobody knows.
        """
        if not is_e164(message.address):
            raise InvalidAddress("bad-number", "The number is not in E.164 form")
        if not isinstance(message.body, str) or not message.body.strip():
            raise MessageFault("no-text", "There is nothing to say")
        if message.expires_at <= self._clock.now():
            raise Lapsed("expired", "It expired before it was sent")
        callback = message.callback_url or receipt_url(
            self._public_url, channel="voice", delivery_id=message.delivery_id, epoch=message.epoch
        )
        keys_url = f"{self._public_url}/v1/inbound/twilio/voice/{message.delivery_id}"
        twiml = speak(message.body, language=message.language, keys_url=keys_url)
        try:
            created = await self._calls.create_async(
                to=message.address,
                from_=self._from,
                twiml=twiml,
                status_callback=callback,
                status_callback_event=_EVENTS,
                machine_detection="DetectMessageEnd",
                timeout=_RING_S,
            )
            return Accepted(*sid_of(created))
        except (ValueError, TypeError, AttributeError, TwilioException) as error:
            raise unreadable(error) from error

    async def look_up(
        self, message: Message, *, since: datetime, taken: Collection[str] = ()
    ) -> Accepted | None:
        """Find the oldest call of ours to this number that was made then and is nobody else's.

        A call carries no text: `taken` names the calls of other deliveries to the number, and one
        listed later than ours can have been is not looked at (see the claim, which makes no other
        call meanwhile).

        Raises:
            ProviderError: the list cannot be had now.
        """
        second, until = since.replace(microsecond=0), since + _LISTED_WITHIN
        found: Accepted | None = None
        try:
            async for one in await self._calls.stream_async(
                to=message.address, from_=self._from, limit=_MOST_LOOKED_AT, page_size=50
            ):
                if one.date_created is None or one.date_created < second:
                    break
                if one.sid not in taken and one.date_created <= until:
                    found = Accepted(*sid_of(one))
        except (ValueError, TypeError, AttributeError, TwilioException) as error:
            raise unreadable(error) from error
        return found

    async def close(self) -> None:
        """Close the session."""
        await self._http.close()
