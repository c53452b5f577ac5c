"""Every example decodes for ever, every event has one, and docs/events.md names them all."""

from pathlib import Path

import orjson
import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

import shared.events
from shared.events.delivery import DeliveryRequested
from shared.events.envelope import EVENTS, decode, event_type
from shared.events.operations import DeadLetter
from shared.events.topics import ALL, DEAD, LIVING, Topic, delivery_topic, topic_named
from shared.security.signing import Verifier

EXAMPLES = sorted((Path(shared.events.__file__).parent / "examples").glob("*.json"))
PAGE = Path(__file__).parents[2] / "docs" / "events.md"

# The private halves are bytes([1]) * 32 and bytes([2]) * 32: known to all, good for nothing else.
VERIFIER = Verifier(
    {
        producer: {
            "example": Ed25519PrivateKey.from_private_bytes(bytes([n]) * 32)
            .public_key()
            .public_bytes_raw()
        }
        for n, producer in ((1, "dispatcher"), (2, "geofence"))
    }
)


def _topic(record: dict[str, object]) -> Topic:
    if record["type"] == DeliveryRequested.TYPE:
        return delivery_topic("sms", "urgent")
    if record["type"] == DeadLetter.TYPE:
        return topic_named(f"alert.approved{DEAD}")
    return topic_named(str(record["type"]))


@pytest.mark.parametrize("example", EXAMPLES, ids=lambda file: file.stem)
def test_the_example_decodes_and_says_what_it_says(example: Path) -> None:
    record = orjson.loads(example.read_bytes())
    envelope, event = decode(_topic(record), example.read_bytes(), VERIFIER)
    assert (envelope.type, envelope.version) == (record["type"], record["version"])
    read = orjson.loads(orjson.dumps(event.model_dump()))
    assert {name: read[name] for name in record["data"]} == record["data"]


def test_every_event_has_an_example_and_every_topic_an_event() -> None:
    shown = {orjson.loads(file.read_bytes())["type"] for file in EXAMPLES}
    assert shown == {event.TYPE for event in EVENTS}
    assert {event_type(topic) for topic in ALL} == set(EVENTS)


def test_the_page_of_events_names_every_topic_and_no_other() -> None:
    rows = [line for line in PAGE.read_text().splitlines() if line.startswith("| `")]
    named = {row.split("`")[1] for row in rows}
    expected = {topic.name for topic in LIVING if not topic.name.startswith("delivery.")}
    assert named == expected | {"delivery.CHANNEL.PRIORITY", "TOPIC.dead"}
