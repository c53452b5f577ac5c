"""Keyring files: what each service may hold, and what no service starts with."""

import os
import stat
from collections.abc import Callable
from itertools import count
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


def take_token_key_away(folder: Path) -> None:
    """Turn the rings into those of a geofence that asked no other service."""
    for path in folder.iterdir():
        ring = orjson.loads(path.read_bytes())
        del ring["issuers"]["service:geofence"]
        if path.stem == "geofence":
            del ring["issuing"]
        path.write_bytes(orjson.dumps(ring))


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
    take_token_key_away(folder)
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


class Killed(BaseException):
    """The process ends here, as by kill -9."""


def die_at(step: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """Let that many changes to the file system happen, and none after."""
    done = count()

    def counted(real: Callable[..., Any]) -> Callable[..., Any]:
        def change(*words: Any, **more: Any) -> Any:
            if next(done) >= step:
                raise Killed
            return real(*words, **more)

        return change

    for name in ("open", "mkdir", "rename", "replace", "unlink", "rmdir"):
        monkeypatch.setattr(os, name, counted(getattr(os, name)))
    monkeypatch.setattr(os, "fsync", counted(lambda handle: None))


def read_all(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in folder.glob("*.json")}


def die_everywhere(
    folder_of: Callable[[int], Path], monkeypatch: pytest.MonkeyPatch
) -> list[tuple[Path, dict[str, bytes]]]:
    """Break off after each step; return each folder, made again, and what it held before."""
    left = []
    for step in count():
        folder = folder_of(step)
        try:
            with monkeypatch.context() as broken:
                die_at(step, broken)
                make_keyrings(folder)
        except Killed:
            left.append((folder, read_all(folder)))
            make_keyrings(folder)
        else:
            return left
    raise AssertionError


@pytest.mark.shows("S41", "S50")
def test_rings_whose_making_was_broken_off_are_made_by_the_next_start(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    left = die_everywhere(lambda step: tmp_path / str(step), monkeypatch)
    assert {len(held) for _, held in left} >= {0, 1, 2, 3, 4}
    for folder, held in left:
        made = read_all(folder)
        assert sorted(path.name for path in folder.iterdir()) == sorted(made)
        # A key that somebody may have used already is never replaced.
        assert made.items() >= held.items()
        rings = {name: orjson.loads(ring) for name, ring in made.items()}
        assert len({orjson.dumps(ring["issuers"]) for ring in rings.values()}) == 1
        assert len({orjson.dumps(ring["producers"]) for ring in rings.values()}) == 1
        assert rings["subscriber.json"]["sealing"] == rings["dispatcher.json"]["sealing"]
        assert {KeyRing.load(folder / name).service for name in made} == {
            "issuer", "subscriber", "geofence", "dispatcher",
        }  # fmt: skip


@pytest.mark.shows("S41")
def test_a_token_key_whose_handing_out_was_broken_off_is_handed_out_by_the_next_start(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def of_old(step: int) -> Path:
        folder = tmp_path / str(step)
        make_keyrings(folder)
        take_token_key_away(folder)
        return folder

    for folder, _ in die_everywhere(of_old, monkeypatch):
        made = {name: orjson.loads(ring) for name, ring in read_all(folder).items()}
        assert sorted(path.name for path in folder.iterdir()) == sorted(made)
        assert len({orjson.dumps(ring["issuers"]) for ring in made.values()}) == 1
        issuer = KeyRing.load(folder / "geofence.json").tokens.issuer
        assert issuer
        token = issuer.issue(subject="geofence", roles=["service"])
        KeyRing.load(folder / "dispatcher.json").tokens.verifier.verify(token)


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
