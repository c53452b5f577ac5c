"""Sends one-time codes: kept as a keyed hash, carried sealed by the notice path."""

from collections.abc import Sequence

import orjson

from services.subscriber.codes import store
from services.subscriber.codes.code import LIFETIME_S, hash_code, new_code
from services.subscriber.roster.resident import Point
from services.subscriber.settings import Keys
from shared.bus.outbox import REST, Outbox
from shared.db.session import Tx
from shared.events.subscriber import NoticeRequested
from shared.identifiers import new_id


async def send_code(
    tx: Tx, points: Sequence[Point], *, outbox: Outbox, keys: Keys, voice_codes: bool
) -> None:
    """Give each contact point a new code and ask for it to be sent.

    A voice number is texted its code unless `voice_codes`; one that the same resident gave for
    texts too needs none of its own, because one proof of the number is enough.
    """
    chosen = [p for p in points if voice_codes or not _texted_anyway(p, points)]
    if not chosen:
        return
    codes = [new_code() for _ in chosen]
    hashes = [
        hash_code(keys.hasher, code, subscriber_id=point.subscriber_id, contact_id=point.contact_id)
        for code, point in zip(codes, chosen, strict=True)
    ]
    expires_at = await store.replace_codes(
        tx,
        contact_ids=[point.contact_id for point in chosen],
        subscriber_ids=[point.subscriber_id for point in chosen],
        digests=[one.digest for one in hashes],
        key_ids=[one.key_id for one in hashes],
        lifetime_s=LIFETIME_S,
    )
    notices = []
    for code, point in zip(codes, chosen, strict=True):
        notice_id = new_id()
        notices.append(
            NoticeRequested(
                notice_id=notice_id,
                subscriber_id=point.subscriber_id,
                template="confirm_code",
                channel="sms" if point.channel == "voice" and not voice_codes else point.channel,
                language=point.language,
                address_sealed=point.address_sealed,
                address_hash=point.address_hash.hex(),
                hash_key_id=point.hash_key_id,
                values_sealed=keys.sealer.seal(
                    orjson.dumps({"code": code}), context=f"notice:{notice_id}"
                ),
                expires_at=expires_at,
            )
        )
    await outbox.put(tx, *notices, lane=REST)


def _texted_anyway(point: Point, points: Sequence[Point]) -> bool:
    return point.channel == "voice" and any(
        other.channel == "sms" and other.address_hash == point.address_hash for other in points
    )
