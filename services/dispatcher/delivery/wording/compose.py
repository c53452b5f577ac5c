"""Makes of a claimed delivery the message a provider takes; texts are built once a broadcast."""

from collections import OrderedDict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

import orjson

from services.dispatcher.delivery.broadcasts import store
from services.dispatcher.delivery.states import Claimed
from services.dispatcher.delivery.wording.languages import fallback
from services.dispatcher.delivery.wording.notices import notice_text
from services.dispatcher.providers.base import Message, MessageFault
from services.dispatcher.providers.mail import prebuild
from shared.db.session import ALL_TOWNS, Database
from shared.security.keys import KeyRing
from shared.security.sealing import SealBroken

_MOST_BROADCASTS = 256


class Unspeakable(MessageFault):
    """A delivery that cannot be put into words; whoever is to blame, it is not the address."""

    def __init__(self, sentence: str) -> None:
        super().__init__("unspeakable", sentence)


@dataclass(slots=True)
class _Words:
    """One broadcast's texts as they were approved, and what has been built of them."""

    texts: Mapping[str, Mapping[str, Any]]
    built: dict[tuple[str, str], tuple[str | None, str | bytes]]


class Composer:
    """Composes the messages of one channel's worker."""

    def __init__(
        self, database: Database, *, keyring: KeyRing, public_url: str, authority: str
    ) -> None:
        if keyring.sealer is None:
            raise ValueError("sending needs the key that opens addresses")
        self._database = database
        self._sealer = keyring.sealer
        self._links = keyring.links
        self._public_url = public_url
        self._authority = authority
        self._known: OrderedDict[tuple[UUID, int], _Words] = OrderedDict()

    async def prepare(self, claimed: Sequence[Claimed]) -> None:
        """Read the texts of broadcasts not met before; they never change once opened."""
        missing = {
            (one.alert_id, one.version)
            for one in claimed
            if one.kind != "notice" and (one.alert_id, one.version) not in self._known
        }
        if not missing:
            return
        async with self._database.transaction(town=ALL_TOWNS) as tx:
            for alert_id, version in missing:
                row = await store.texts_of(tx, alert_id, version)
                if row is not None:
                    texts = row["texts"]
                    read = orjson.loads(texts) if isinstance(texts, str) else texts
                    self._known[alert_id, version] = _Words(read, {})
        while len(self._known) > _MOST_BROADCASTS:
            self._known.popitem(last=False)

    def compose(self, one: Claimed) -> Message:
        """Return the message of a delivery whose broadcast has been prepared.

        Raises:
            Unspeakable: the address does not open, there is no text for the channel, or what
                was kept is no notice.
        """
        try:
            return self._compose(one)
        except (ValueError, LookupError, TypeError, AttributeError) as error:
            raise Unspeakable(f"it cannot be read: {type(error).__name__}") from error

    def _compose(self, one: Claimed) -> Message:
        address = self._unseal(one.address_sealed, context="address").decode()
        subject, body = self._notice(one) if one.kind == "notice" else self._text(one)
        return Message(
            delivery_id=one.delivery_id,
            epoch=one.epoch,
            channel=one.channel,
            address=address,
            reference=one.reference,
            subject=subject,
            body=body,
            language=one.language,
            expires_at=one.expires_at,
            unsubscribe_url=self._unsubscribe_url(one),
            dated=_dated(one),
        )

    def _unseal(self, sealed: str, *, context: str) -> bytes:
        try:
            return self._sealer.unseal(sealed, context=context)
        except SealBroken:
            raise Unspeakable("What is sealed does not open") from None

    def _text(self, one: Claimed) -> tuple[str | None, str | bytes]:
        words = self._known.get((one.alert_id, one.version))
        if words is None:
            raise Unspeakable("the broadcast's texts have not been read")
        key = (one.language, one.channel)
        if key not in words.built:
            words.built[key] = _build(words.texts, one.language, one.channel)
        return words.built[key]

    def _notice(self, one: Claimed) -> tuple[str | None, str]:
        if one.template is None or one.values_sealed is None:
            raise Unspeakable("a notice without a template")
        raw = self._unseal(one.values_sealed, context=f"notice:{one.alert_id}")
        values = {str(name): str(value) for name, value in orjson.loads(raw).items()}
        try:
            subject, text = notice_text(
                one.template,
                channel=one.channel,
                language=one.language,
                authority=self._authority,
                values=values,
            )
        except KeyError as error:
            raise Unspeakable(f"a notice without {error}") from None
        return (subject if one.channel == "email" else None), text

    def _unsubscribe_url(self, one: Claimed) -> str | None:
        if one.channel != "email" or one.kind == "notice" or self._links is None:
            return None
        token = self._links.make("unsubscribe", {"delivery": str(one.delivery_id)})
        return f"{self._public_url}/v1/inbound/email/unsubscribe/{token}"


def _build(
    texts: Mapping[str, Mapping[str, Any]], language: str, channel: str
) -> tuple[str | None, str | bytes]:
    part = "email_body" if channel == "email" else channel
    for spoken in fallback(language, texts):
        text = texts[spoken].get(part)
        if not text:
            continue
        if channel != "email":
            return None, str(text)
        subject = str(texts[spoken].get("email_subject") or "")
        return subject, prebuild(subject, str(text), spoken)
    raise Unspeakable(f"no text for {channel}")


def _dated(one: Claimed) -> datetime:
    # Of the broadcast, not of the attempt: a mail sent again after a lost reply is the same mail.
    return one.opened_at
