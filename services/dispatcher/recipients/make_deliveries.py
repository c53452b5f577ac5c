"""Makes deliveries of members whose card is known."""

from collections.abc import Sequence
from uuid import UUID

from services.dispatcher.delivery.states import Request
from services.dispatcher.delivery.wording.languages import fallback
from services.dispatcher.recipients import store, store_again
from services.dispatcher.recipients.cast import Cast
from shared.db.session import Tx


async def make_deliveries(
    tx: Tx, *, cast: Cast, chunk_id: UUID, subscribers: Sequence[UUID]
) -> list[Request]:
    """Join members with their cards in the database; return the deliveries to be asked for.

    They are new, or were closed before anything was handed over and are open again.
    """
    if not subscribers:
        return []
    wanted = await store.languages_of(tx, subscribers)
    best = {language: fallback(language, cast.languages)[0] for language in wanted}
    made, met = await store.join_cards(
        tx, cast=cast, chunk_id=chunk_id, subscribers=subscribers, languages=best
    )
    return made + await store_again.reopen(tx, cast=cast, chunk_id=chunk_id, deliveries=met)
