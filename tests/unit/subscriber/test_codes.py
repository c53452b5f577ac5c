"""One-time codes and the brakes on asking for them."""

import secrets
from uuid import uuid4

import pytest

from services.subscriber.codes.brakes import brakes_for
from services.subscriber.codes.code import DIGITS, hash_code, is_code, new_code
from shared.security.sealing import AddressHasher

HASHER = AddressHasher({"k1": secrets.token_bytes(32)}, current="k1")


@pytest.mark.shows("S20")
def test_codes_are_six_digits_and_spread() -> None:
    """Leading zeros stay; a thousand draws hardly meet."""
    drawn = [new_code() for _ in range(1000)]
    assert all(len(code) == DIGITS == 6 and code.isdecimal() for code in drawn)
    assert len(set(drawn)) > 990


@pytest.mark.shows("S20")
def test_a_code_fits_only_where_it_was_sent() -> None:
    """Another resident, contact point or code does not match; a rotated key still does."""
    one, point = uuid4(), uuid4()
    stored = hash_code(HASHER, "012345", subscriber_id=one, contact_id=point).digest
    assert is_code(HASHER, "012345", stored, subscriber_id=one, contact_id=point)
    assert not is_code(HASHER, "012346", stored, subscriber_id=one, contact_id=point)
    assert not is_code(HASHER, "012345", stored, subscriber_id=uuid4(), contact_id=point)
    assert not is_code(HASHER, "012345", stored, subscriber_id=one, contact_id=uuid4())
    assert b"012345" not in stored

    old = secrets.token_bytes(32)
    before = AddressHasher({"a": old}, current="a")
    after = AddressHasher({"a": old, "b": secrets.token_bytes(32)}, current="b")
    kept = hash_code(before, "012345", subscriber_id=one, contact_id=point).digest
    assert is_code(after, "012345", kept, subscriber_id=one, contact_id=point)


@pytest.mark.shows("S21")
def test_brakes_hold_by_number_block_and_network() -> None:
    """Numbers are never in a key; neighbours in a block and in a network share theirs."""

    def keys(address: str, client: str | None) -> set[str]:
        return {brake.key for brake in brakes_for([address], client=client, hasher=HASHER)}

    one = keys("+18605550123", "198.51.100.7")
    near = keys("+18605559999", "198.51.100.200")
    far = keys("+12035550123", "203.0.113.9")
    shared = one & near
    assert "codes:block:+1860555" in shared
    assert "codes:net:198.51.100.0/24" in shared
    assert one & far == {"codes:all"}
    assert not [key for key in one if "8605550123" in key]


@pytest.mark.shows("S21")
@pytest.mark.parametrize(
    ("client", "network"),
    [
        ("2001:db8:1:2ff::9", "2001:db8:1:200::/56"),
        ("::ffff:198.51.100.7", "198.51.100.0/24"),
        (None, "unknown"),
        ("not-an-address", "unknown"),
    ],
)
def test_networks_are_counted_whole(client: str | None, network: str) -> None:
    """IPv6 by /56, mapped IPv4 as IPv4, and no address at all as one network."""
    first = brakes_for([], client=client, hasher=HASHER)[0]
    assert first.key == f"codes:net:{network}"


def test_one_number_for_texts_and_calls_counts_once() -> None:
    """The same address twice in a request is one request for codes."""
    twice = brakes_for(["+18605550123"] * 2, client=None, hasher=HASHER)
    assert len(twice) == len({brake.key for brake in twice})
