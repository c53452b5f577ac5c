"""What a dead letter says of a record, and what it never says."""

import hashlib
from datetime import UTC, datetime

import pytest

from shared.bus.dead_letters import letter_for
from shared.events.operations import DeadLetter
from shared.events.topics import RECEIPT_RECEIVED, dead

NOW = datetime(2026, 11, 22, tzinfo=UTC)
ID = "0193a4d2-7c00-7000-8000-000000000001"


def _letter(key: bytes, value: bytes | None = b"call +12035550123") -> DeadLetter:
    return letter_for(
        RECEIPT_RECEIVED,
        partition=1,
        offset=7,
        key=key,
        value=value,
        group="settle",
        reason="not-json",
        detail="",
        attempts=0,
        now=NOW,
    )


@pytest.mark.parametrize("key", [ID, f"{ID}:{ID}:12", "a" * 64, "geofence"])
def test_a_key_of_ours_stays(key: str) -> None:
    assert _letter(key.encode()).origin_key == key


@pytest.mark.parametrize(
    "key", [b"+12035550123", b"2035550123", b"somebody@example.org", b"\xff\xfe", b""]
)
def test_any_other_key_is_kept_as_its_digest(key: bytes) -> None:
    assert _letter(key).origin_key == "sha256:" + hashlib.sha256(key).hexdigest()


def test_a_letter_refers_and_does_not_quote() -> None:
    letter = _letter(ID.encode())
    assert "2035550123" not in letter.model_dump_json()
    assert letter.sha256 == hashlib.sha256(b"call +12035550123").hexdigest()
    assert letter.size == 17
    assert letter.topic() == dead(RECEIPT_RECEIVED)


def test_the_same_record_gives_the_same_letter() -> None:
    assert _letter(b"k").letter_id == _letter(b"k").letter_id
    assert _letter(b"k").letter_id != _letter(b"k", b"other").letter_id
    assert _letter(b"k", None).size == 0
