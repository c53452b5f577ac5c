"""Sealing, keyed hashes, signatures and link tokens."""

import secrets

import pytest

from shared.security.links import LinkInvalid, LinkTokens
from shared.security.sealing import AddressHasher, SealBroken, Sealer
from shared.security.signing import SignatureInvalid, Signer, Verifier

OLD, NEW = secrets.token_bytes(32), secrets.token_bytes(32)


@pytest.mark.shows("S14")
def test_a_seal_opens_only_with_its_key_and_context() -> None:
    sealer = Sealer({"k1": OLD}, current="k1")
    token = sealer.seal(b"+18605550123", context="address")
    assert token.startswith("k1.")
    assert b"8605550123" not in token.encode()
    assert sealer.unseal(token, context="address") == b"+18605550123"
    assert sealer.seal(b"+18605550123", context="address") != token
    damaged = token[:-2] + ("AA" if token[-2:] != "AA" else "BB")
    for broken in (damaged, "k2." + token[3:], "", "k1.", "k1.é", token.removeprefix("k1.")):
        with pytest.raises(SealBroken):
            sealer.unseal(broken, context="address")
    with pytest.raises(SealBroken):
        sealer.unseal(token, context="notice:1")


@pytest.mark.shows("S14", "S41")
def test_after_a_rotation_old_seals_open_and_new_ones_use_the_new_key() -> None:
    token = Sealer({"k1": OLD}, current="k1").seal(b"x", context="address")
    rotated = Sealer({"k1": OLD, "k2": NEW}, current="k2")
    assert rotated.unseal(token, context="address") == b"x"
    assert rotated.seal(b"x", context="address").startswith("k2.")


@pytest.mark.shows("S14", "S16")
def test_hashes_carry_their_key_and_rotation_keeps_the_old_ones() -> None:
    before = AddressHasher({"h1": OLD}, current="h1").hash("+18605550123")
    rotated = AddressHasher({"h1": OLD, "h2": NEW}, current="h2")
    assert len(before.digest) == 32
    assert rotated.hash("+18605550123").key_id == "h2"
    assert [one.key_id for one in rotated.all_hashes("+18605550123")] == ["h2", "h1"]
    assert before in rotated.all_hashes("+18605550123")
    assert rotated.hash("+18605550124") != rotated.hash("+18605550123")


@pytest.mark.shows("S40")
def test_only_the_producers_own_key_signs_for_it() -> None:
    signer = Signer(OLD, producer="dispatcher", key_id="d1")
    public = signer._key.public_key().public_bytes_raw()
    verifier = Verifier({"dispatcher": {"d1": public}, "geofence": {"g1": b"\0" * 32}})
    signature = signer.sign(b"body")
    verifier.verify(producer="dispatcher", key_id="d1", signature=signature, data=b"body")
    forgeries = [
        ("dispatcher", "d1", signature, b"other"),
        ("geofence", "d1", signature, b"body"),
        ("geofence", "g1", signature, b"body"),
        ("dispatcher", "d2", signature, b"body"),
        ("dispatcher", "d1", "", b"body"),
        ("dispatcher", "d1", "é", b"body"),
    ]
    for producer, key_id, forged, data in forgeries:
        with pytest.raises(SignatureInvalid):
            verifier.verify(producer=producer, key_id=key_id, signature=forged, data=data)


@pytest.mark.shows("S23")
def test_a_link_token_is_for_one_purpose_and_a_time() -> None:
    links = LinkTokens([OLD])
    token = links.make("manage", {"s": "1"})
    assert links.read("manage", token, max_age_s=60) == {"s": "1"}
    assert LinkTokens([OLD, NEW]).read("manage", token, max_age_s=60) == {"s": "1"}
    attempts = [("leave", token, 60), ("manage", token + "x", 60), ("manage", "x" * 5000, 60)]
    attempts.append(("manage", token, -1))
    for purpose, text, age in attempts:
        with pytest.raises(LinkInvalid):
            links.read(purpose, text, max_age_s=age)
    with pytest.raises(LinkInvalid):
        LinkTokens([NEW]).read("manage", token, max_age_s=60)
