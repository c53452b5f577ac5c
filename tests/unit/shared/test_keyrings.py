"""Keyring files: what each service may hold, and what no service starts with."""

import stat
from pathlib import Path
from typing import Any

import orjson
import pytest

from shared.security.encoding import to_text
from shared.security.keys import KeyRing, KeyRingInvalid, make_keyrings
from shared.settings import PlaceholderSecret, Settings, read_secret, refuse_weak


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    make_keyrings(tmp_path / "keys")
    return tmp_path / "keys"


@pytest.mark.shows("S14", "S40", "S41")
def test_each_service_holds_only_what_it_may(folder: Path) -> None:
    rings = {path.stem: KeyRing.load(path) for path in folder.iterdir()}
    assert rings.keys() == {"issuer", "subscriber", "geofence", "dispatcher"}
    held = {
        name: {
            kind
            for kind in ("sealer", "hasher", "signer", "links")
            if getattr(ring, kind) is not None
        }
        | ({"issuer"} if ring.tokens.issuer else set())
        for name, ring in rings.items()
    }
    assert held == {
        "issuer": {"issuer"},
        "subscriber": {"sealer", "hasher", "links"},
        "geofence": {"signer", "issuer"},
        "dispatcher": {"sealer", "hasher", "signer", "links", "issuer"},
    }
    private = orjson.loads((folder / "dispatcher.json").read_bytes())["signing"]["private"]
    for other in ("issuer", "subscriber", "geofence"):
        assert private not in (folder / f"{other}.json").read_text()


@pytest.mark.shows("S14")
def test_rings_made_together_work_together(folder: Path) -> None:
    rings = {path.stem: KeyRing.load(path) for path in folder.iterdir()}
    subscriber, dispatcher, geofence = (
        rings[name] for name in ("subscriber", "dispatcher", "geofence")
    )
    assert subscriber.sealer
    assert dispatcher.sealer
    assert dispatcher.signer
    token = subscriber.sealer.seal(b"a", context="address")
    assert dispatcher.sealer.unseal(token, context="address") == b"a"
    signature = dispatcher.signer.sign(b"x")
    geofence.verifier.verify(
        producer="dispatcher",
        key_id=dispatcher.signer.key_id,
        signature=signature,
        data=b"x",
    )
    staff, service = rings["issuer"].tokens.issuer, dispatcher.tokens.issuer
    assert staff
    assert service
    who = geofence.tokens.verifier.verify(
        staff.issue(subject="ann", roles=["manager", "service"], town="0937000")
    )
    assert (who.kind, who.roles, who.town) == ("staff", {"manager"}, "0937000")
    who = geofence.tokens.verifier.verify(
        service.issue(subject="dispatcher", roles=["service", "admin"])
    )
    assert (who.kind, who.roles, who.town) == ("service", {"service"}, "*")


@pytest.mark.shows("S41", "S50")
def test_files_are_the_owners_alone_and_made_once(folder: Path) -> None:
    before = {path: path.read_bytes() for path in folder.iterdir()}
    make_keyrings(folder)
    assert before == {path: path.read_bytes() for path in folder.iterdir()}
    assert all(stat.S_IMODE(path.stat().st_mode) == 0o600 for path in before)
    (folder / "geofence.json").unlink()
    with pytest.raises(FileExistsError):
        make_keyrings(folder)


@pytest.mark.shows("S41")
def test_rings_of_a_geofence_that_asked_nobody_are_given_its_token_key(folder: Path) -> None:
    for path in folder.iterdir():
        ring = orjson.loads(path.read_bytes())
        del ring["issuers"]["service:geofence"]
        if path.stem == "geofence":
            del ring["issuing"]
        path.write_bytes(orjson.dumps(ring))
    before = {path.stem: orjson.loads(path.read_bytes()) for path in folder.iterdir()}
    make_keyrings(folder)
    after = {path.stem: orjson.loads(path.read_bytes()) for path in folder.iterdir()}
    issuer = KeyRing.load(folder / "geofence.json").tokens.issuer
    assert issuer
    token = issuer.issue(subject="geofence", roles=["service"])
    for name, ring in after.items():
        who = KeyRing.load(folder / f"{name}.json").tokens.verifier.verify(token)
        assert (who.kind, who.subject) == ("service", "geofence")
        del ring["issuers"]["service:geofence"]
    del after["geofence"]["issuing"]
    assert after == before


WEAK = [
    ("sealing", "keys", "seal-1", to_text(b"\0" * 32)),
    ("sealing", "keys", "seal-1", to_text(b"changemechangemechangemechangeme")),
    ("sealing", "keys", "seal-1", to_text(bytes(range(100, 116)))),
    ("hashing", "keys", "hash-1", ""),
    ("hashing", "current", "hash-2", None),
    ("signing", "private", to_text(b"\1" * 32), None),
    ("links", 0, "c2VjcmV0", None),
]


@pytest.mark.shows("S50")
@pytest.mark.parametrize("steps", WEAK)
def test_a_weak_or_placeholder_key_is_refused(folder: Path, steps: tuple[Any, ...]) -> None:
    path = folder / "dispatcher.json"
    ring = orjson.loads(path.read_bytes())
    *way, last, value = [step for step in steps if step is not None]
    place = ring
    for step in way:
        place = place[step]
    place[last] = value
    path.write_bytes(orjson.dumps(ring))
    with pytest.raises(KeyRingInvalid) as refused:
        KeyRing.load(path)
    assert not value or value not in str(refused.value)


@pytest.mark.shows("S41", "S50")
def test_a_ring_that_is_missing_or_open_to_all_is_refused(folder: Path) -> None:
    (folder / "geofence.json").chmod(0o644)
    for name in ("geofence.json", "nobody.json"):
        with pytest.raises(KeyRingInvalid):
            KeyRing.load(folder / name)


@pytest.mark.shows("S50")
@pytest.mark.parametrize(
    "secret", ["", "short", "x" * 64, "changeme" * 8, "your-secret-goes-in-here-0123456"]
)
def test_placeholder_secrets_are_refused(secret: str) -> None:
    with pytest.raises(PlaceholderSecret):
        refuse_weak(secret)


@pytest.mark.shows("S41")
def test_a_secret_may_lie_in_a_file(tmp_path: Path) -> None:
    (tmp_path / "token").write_text("a1b2c3d4e5f60718a1b2c3d4e5f60718\n")
    assert read_secret(str(tmp_path / "token")) == refuse_weak(
        read_secret(f"file:{tmp_path}/token")
    )


@pytest.mark.shows("S50")
def test_settings_need_what_has_no_default(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("CTALERT_KAFKA_BOOTSTRAP", "KAFKA_BOOTSTRAP", "CTALERT_KEYRING"):
        monkeypatch.delenv(name, raising=False)
    with pytest.raises(ValueError, match="CTALERT_KEYRING"):
        Settings()
    monkeypatch.setenv("KAFKA_BOOTSTRAP", "127.0.0.1:9092")
    monkeypatch.setenv("CTALERT_KEYRING", "/keys/x.json")
    monkeypatch.setenv("CTALERT_PUBLIC_URL", "https://alert.example/")
    settings = Settings()
    assert settings.environment == "production"
    assert settings.public_url == "https://alert.example"
    assert "9092" not in repr(settings)
