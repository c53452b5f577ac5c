"""Keeps residents' contact cards: the newest version of each, and of the erased only that."""

from collections.abc import Sequence
from uuid import UUID

import orjson
from pydantic import ValidationError

from services.dispatcher.contacts import store
from shared.bus.message import Message
from shared.db.session import Tx
from shared.events.envelope import Poison
from shared.events.subscriber import Card, ContactChanged
from shared.security.sealing import SealBroken, Sealer


async def keep_contact(tx: Tx, messages: Sequence[Message], *, sealer: Sealer) -> list[UUID]:
    """Keep the newest card of each resident and return whose card was taken.

    Older versions are passed over, an erased resident never comes back, and a null record
    forgets whoever it is about. A suppression is lifted only by a later opt-in.

    Raises:
        Poison: a card that does not open or is no card.
    """
    newest: dict[UUID, ContactChanged | None] = {}
    for message in messages:
        subscriber_id, event = _about(message)
        known = newest.get(subscriber_id)
        if known is None and subscriber_id in newest:
            continue  # forgotten in this very batch
        if event is None or event.erased or known is None or event.version > known.version:
            if not (known is not None and known.erased and event is not None):
                newest[subscriber_id] = event
    cards, points = [], []
    for subscriber_id, event in newest.items():
        if event is None or event.erased or event.card_sealed is None:
            cards.append(_empty(subscriber_id, event))
            continue
        card = _open(event, event.card_sealed, sealer)
        cards.append(_card(event, card))
        points += [
            {"subscriber_id": subscriber_id, **point.model_dump()} for point in card.contact_points
        ]
    if not cards:
        return []
    taken = await store.keep_cards(tx, orjson.dumps(cards))
    if taken:
        await store.replace_contacts(tx, taken, orjson.dumps(points))
        await store.lift_by_cards(tx, taken)
    return list(taken)


def _about(message: Message) -> tuple[UUID, ContactChanged | None]:
    if isinstance(message.event, ContactChanged):
        return message.event.subscriber_id, message.event
    try:
        return UUID(message.key.decode()), None
    except ValueError:
        raise Poison("key-is-no-resident") from None


def _open(event: ContactChanged, sealed: str, sealer: Sealer) -> Card:
    context = f"card:{event.subscriber_id}:{event.version}"
    try:
        return Card.model_validate_json(sealer.unseal(sealed, context=context))
    except SealBroken:
        raise Poison("card-does-not-open") from None
    except ValidationError:
        raise Poison("card-is-malformed") from None


def _empty(subscriber_id: UUID, event: ContactChanged | None) -> dict[str, object]:
    return {
        "subscriber_id": subscriber_id,
        "version": event.version if event else 0,
        "erased": event is None or event.erased,
    }


def _card(event: ContactChanged, card: Card) -> dict[str, object]:
    return {
        "subscriber_id": event.subscriber_id,
        "version": event.version,
        "erased": False,
        "opted_in_at": event.opted_in_at,
        "language": card.language,
        "categories": card.categories,
        "severity_floor": card.severity_floor,
    }
