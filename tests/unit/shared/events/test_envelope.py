"""What an envelope says and refuses, without a broker."""

import uuid
from datetime import UTC, datetime
from typing import Any

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.events.alert import AlertEnded
from shared.events.audience import AudienceResolved, pack_ids, unpack_ids
from shared.events.delivery import DeliveryRequested
from shared.events.envelope import (
    BadSignature,
    Outgoing,
    Poison,
    UnknownMajor,
    decode,
    encode,
    tombstone,
)
from shared.events.subscriber import Place, PlaceChanged, Reach
from shared.events.topics import (
    ALERT_ENDED,
    ALL,
    PLACE_CHANGED,
    RECEIPT_RECEIVED,
    delivery_topic,
    topic_named,
)
from shared.security.signing import Signer, Verifier

NOW = datetime(2026, 11, 22, 15, 4, 5, tzinfo=UTC)
SIGNER = Signer(b"\x01" * 32, producer="dispatcher", key_id="k1")
ALIEN = Signer(b"\x02" * 32, producer="geofence", key_id="k1")
VERIFIER = Verifier(
    {one.producer: {"k1": one._key.public_key().public_bytes_raw()} for one in (SIGNER, ALIEN)}
)


def _ended(version: int = 1) -> AlertEnded:
    return AlertEnded(alert_id=uuid.UUID(int=5), version=version, reason="expired", ended_at=NOW)


def _places(**changes: Any) -> PlaceChanged:
    given: dict[str, Any] = {
        "subscriber_id": uuid.UUID(int=1),
        "version": 1,
        "places": [Place(place_id=uuid.UUID(int=2), lon=-72.68, lat=41.76)],
        "reach": Reach(channels=3, language="en-US"),
    }
    return PlaceChanged(**given | changes)


def _sent(event: Any, *, signer: Signer | None = None, producer: str = "dispatcher") -> Outgoing:
    return encode(event, producer=producer, signer=signer, now=NOW)


def _with(outgoing: Outgoing, **changes: Any) -> bytes:
    record = orjson.loads(outgoing.value or b"")
    record["data"] |= changes.pop("data", {})
    return orjson.dumps(record | changes)


def test_what_is_encoded_is_decoded() -> None:
    sent = encode(_places(), producer="subscriber", signer=None, now=NOW, traceparent="00-a-b-01")
    envelope, event = decode(PLACE_CHANGED, sent.value, None, key=sent.key)
    assert event == _places()
    assert (envelope.occurred_at, envelope.producer) == (NOW, "subscriber")
    assert envelope.traceparent == "00-a-b-01"
    assert sent.key == str(uuid.UUID(int=1)).encode()


def test_a_signed_event_needs_its_own_service() -> None:
    sent = _sent(_ended(), signer=SIGNER)
    assert decode(ALERT_ENDED, sent.value, VERIFIER)[1] == _ended()
    for signer, producer in ((None, "dispatcher"), (SIGNER, "geofence")):
        with pytest.raises(ValueError, match="needs the signature"):
            _sent(_ended(), signer=signer, producer=producer)


@pytest.mark.shows("bad:K11")
@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"signature": None}, "signature-missing"),
        ({"key_id": None}, "signature-missing"),
        ({"key_id": "k2"}, "signature-invalid"),
        ({"producer": "geofence"}, "signature-of-another-service"),
        ({"occurred_at": "2026-11-23T00:00:00Z"}, "signature-invalid"),
        ({"data": {"version": 2}}, "signature-invalid"),
        ({"more": 1}, "signature-invalid"),
        ({"signature": "AAAA"}, "signature-invalid"),
        ({"signature": "~~not base64~~"}, "signature-invalid"),
    ],
)
def test_one_changed_byte_is_a_bad_signature(changes: dict[str, Any], reason: str) -> None:
    sent = _sent(_ended(), signer=SIGNER)
    with pytest.raises(BadSignature) as raised:
        decode(ALERT_ENDED, _with(sent, **changes), VERIFIER)
    assert raised.value.reason == reason


def test_a_reader_without_keys_believes_no_signed_event() -> None:
    with pytest.raises(BadSignature):
        decode(ALERT_ENDED, _sent(_ended(), signer=SIGNER).value, None)


def test_a_second_field_of_the_same_name_cannot_slip_past_the_signature() -> None:
    value = _sent(_ended(), signer=SIGNER).value or b""
    twice = value.replace(b'"version":1', b'"version":9,"version":1')
    assert decode(ALERT_ENDED, twice, VERIFIER)[1] == _ended()


@pytest.mark.shows("bad:K05", "bad:K07", "bad:K17")
@pytest.mark.parametrize(
    "data",
    [
        {"version": 0},
        {"version": "1"},
        {"version": 1.0},
        {"version": 2**63},
        {"subscriber_id": "nobody"},
        {"places": None},
        {"reach": {"channels": 9, "language": "en-US"}},
        {"places": [{"place_id": str(uuid.UUID(int=2)), "lon": 181, "lat": 41}]},
        {"places": [{"place_id": str(uuid.UUID(int=2)), "lon": -72.0}]},
    ],
)
def test_a_wrong_value_is_poison_and_its_content_stays_out_of_the_reason(
    data: dict[str, Any],
) -> None:
    with pytest.raises(Poison) as raised:
        decode(PLACE_CHANGED, _with(_sent(_places()), data=data), None)
    assert raised.value.reason == "malformed-event"
    assert "nobody" not in str(raised.value)


@pytest.mark.shows("bad:K15")
def test_an_alert_without_an_area_is_poison() -> None:
    with pytest.raises(Poison):
        decode(
            topic_named("alert.approved"),
            orjson.dumps({"type": "alert.approved", "data": {"area_wkb": None}}),
            VERIFIER,
        )


def test_an_unknown_major_is_told_apart_even_when_its_body_is_strange() -> None:
    for changes in ({"version": "2.0"}, {"version": "2.0", "data": {"places": "elsewhere"}}):
        with pytest.raises(UnknownMajor):
            decode(PLACE_CHANGED, _with(_sent(_places()), **changes), None)
    with pytest.raises(Poison, match="malformed-version"):
        decode(PLACE_CHANGED, _with(_sent(_places()), version="new"), None)
    assert decode(PLACE_CHANGED, _with(_sent(_places()), version="1.99"), None)[1] == _places()


def test_each_topic_takes_only_its_own_events() -> None:
    sent = _sent(
        DeliveryRequested(
            delivery_id=uuid.UUID(int=1),
            channel="sms",
            priority="routine",
            address_hash="a" * 64,
        )
    )
    assert sent.topic is delivery_topic("sms", "routine")
    with pytest.raises(Poison, match="event-of-another-topic"):
        decode(delivery_topic("sms", "exercise"), sent.value, None)
    with pytest.raises(Poison):
        decode(RECEIPT_RECEIVED, sent.value, None)


def test_only_rosters_forget_by_null() -> None:
    assert tombstone(PLACE_CHANGED, "x").value is None
    with pytest.raises(ValueError, match="forgets by age"):
        tombstone(RECEIPT_RECEIVED, "x")


def test_topic_names_are_unique_and_found_again() -> None:
    assert len({topic.name for topic in ALL}) == len(ALL)
    assert all(topic_named(topic.name) is topic for topic in ALL)


@given(st.lists(st.uuids(), max_size=50))
def test_packed_ids_come_back(ids: list[uuid.UUID]) -> None:
    assert unpack_ids(pack_ids(ids)) == ids


def test_members_come_with_their_reason() -> None:
    near, far = uuid.UUID(int=1), uuid.UUID(int=2)
    event = AudienceResolved(
        alert_id=uuid.UUID(int=5),
        version=1,
        run_id=uuid.UUID(int=6),
        chunk=0,
        area_digest="a" * 64,
        inside=pack_ids([near]),
        by_uncertainty=pack_ids([far]),
    )
    assert list(event.members()) == [(near, "inside"), (far, "by_uncertainty")]
    with pytest.raises(ValueError, match="whole number"):
        AudienceResolved(**event.model_dump() | {"inside": "AAAA"})


@given(st.binary(max_size=200))
def test_no_bytes_raise_anything_but_poison(raw: bytes) -> None:
    for topic in (PLACE_CHANGED, ALERT_ENDED):
        with pytest.raises(Poison):
            decode(topic, raw, VERIFIER)
