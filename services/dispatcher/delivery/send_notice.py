"""Takes notices (codes, confirmations, pages) into the same path as every other message."""

from collections.abc import Sequence
from uuid import UUID

import orjson

from services.dispatcher.delivery.broadcasts import store
from services.dispatcher.delivery.states import Request
from shared.bus.message import Message
from shared.db.session import Tx
from shared.events.subscriber import NoticeRequested


async def send_notice(tx: Tx, messages: Sequence[Message]) -> tuple[list[UUID], list[Request]]:
    """Write each new notice as a broadcast of its own with one delivery.

    Returns the chunk rows and the deliveries to be asked for after the commit.
    """
    notices = {
        message.event.notice_id: message.event
        for message in messages
        if isinstance(message.event, NoticeRequested)
    }
    rows = [
        {
            "notice_id": one.notice_id,
            "template": one.template,
            "channel": one.channel,
            "language": one.language,
            "address_sealed": one.address_sealed,
            "address_hash": one.address_hash,
            "hash_key_id": one.hash_key_id,
            "values_sealed": one.values_sealed,
            "expires_at": one.expires_at,
        }
        for one in notices.values()
    ]
    if not rows:
        return [], []
    return await store.insert_notices(tx, orjson.dumps(rows))
