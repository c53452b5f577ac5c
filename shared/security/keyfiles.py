"""Makes the keyring files of the embedded default, each holding only what its service may."""

import os
import secrets
import shutil
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any

import orjson
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    PublicFormat,
)

from shared.security.encoding import to_text

STAFF_ISSUER = "ct-alert:embedded"
FILES = ("issuer", "subscriber", "geofence", "dispatcher")
# Inside the folder: where rings are written, and where they lie once every one of them is whole.
_DRAFT, _WHOLE = ".draft", ".whole"


def make_keyrings(folder: Path) -> None:
    """Write one keyring file a service and `issuer.json`, unless all of them are there.

    Rings whose writing was broken off are brought in or made anew; nobody has seen those.

    Raises:
        FileExistsError: only some of the files are there, so that new ones would not match.
    """
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    _bring_in(folder)
    paths = {name: folder / f"{name}.json" for name in FILES}
    present = [path for path in paths.values() if path.exists()]
    if len(present) == len(paths):
        _let_geofence_speak(folder, paths)
        return
    if present:
        raise FileExistsError(f"only some keyrings are in {folder}: remove them or bring the rest")
    _write(folder, _rings())


def _rings() -> dict[str, dict[str, Any]]:
    sealing, hashing = _secret_keys("seal-1"), _secret_keys("hash-1")
    signing = {name: _signing_pair(f"{name}-1") for name in ("dispatcher", "geofence")}
    staff = _token_pair("staff-1")
    tokens = {name: _token_pair(f"{name}-token-1") for name in ("dispatcher", "geofence")}
    trusted = {
        "producers": {name: {pair["key_id"]: pair.pop("public")} for name, pair in signing.items()},
        "issuers": {
            STAFF_ISSUER: _trust("staff", staff),
            **{_name(service): _trust("service", pair) for service, pair in tokens.items()},
        },
    }
    shared_with_dispatcher = {"sealing": sealing, "hashing": hashing}
    return {
        "issuer": {
            "service": "issuer",
            "issuing": {"issuer": STAFF_ISSUER, **_private(staff)},
            **trusted,
        },
        "subscriber": {
            "service": "subscriber",
            **shared_with_dispatcher,
            "links": [_random_key()],
            **trusted,
        },
        "geofence": {
            "service": "geofence",
            "signing": signing["geofence"],
            "issuing": {"issuer": _name("geofence"), **_private(tokens["geofence"])},
            **trusted,
        },
        "dispatcher": {
            "service": "dispatcher",
            **shared_with_dispatcher,
            "links": [_random_key()],
            "signing": signing["dispatcher"],
            "issuing": {"issuer": _name("dispatcher"), **_private(tokens["dispatcher"])},
            **trusted,
        },
    }


def _let_geofence_speak(folder: Path, paths: Mapping[str, Path]) -> None:
    """Give a token key to a geofence whose rings were made when it asked no other service."""
    rings = {name: orjson.loads(path.read_bytes()) for name, path in paths.items()}
    if "issuing" in rings["geofence"]:
        return
    pair = _token_pair("geofence-token-1")
    for ring in rings.values():
        ring["issuers"][_name("geofence")] = _trust("service", pair)
    rings["geofence"]["issuing"] = {"issuer": _name("geofence"), **_private(pair)}
    _write(folder, rings)


def _name(service: str) -> str:
    return f"service:{service}"


def _random_key() -> str:
    while (key := secrets.token_bytes(32)).isascii() or len(set(key)) < 16:
        pass
    return to_text(key)


def _secret_keys(key_id: str) -> dict[str, Any]:
    return {"current": key_id, "keys": {key_id: _random_key()}}


def _signing_pair(key_id: str) -> dict[str, str]:
    private = Ed25519PrivateKey.generate()
    return {
        "key_id": key_id,
        "private": to_text(private.private_bytes_raw()),
        "public": to_text(private.public_key().public_bytes_raw()),
    }


def _token_pair(key_id: str) -> dict[str, str]:
    private = ec.generate_private_key(ec.SECP256R1())
    public = private.public_key()
    return {
        "key_id": key_id,
        "private": private.private_bytes(
            Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()
        ).decode(),
        "public": public.public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo).decode(),
    }


def _private(pair: dict[str, str]) -> dict[str, str]:
    return {"key_id": pair["key_id"], "private": pair["private"]}


def _trust(kind: str, pair: dict[str, str]) -> dict[str, Any]:
    return {
        "kind": kind,
        "algorithm": "ES256",
        "audience": "ct-alert",
        "keys": {pair["key_id"]: pair["public"]},
    }


def _write(folder: Path, rings: Mapping[str, Mapping[str, Any]]) -> None:
    """Write the rings all or none, wherever this is broken off, and never readable by others."""
    draft = folder / _DRAFT
    if draft.exists():
        shutil.rmtree(draft)
    draft.mkdir(mode=0o700)
    for name, ring in rings.items():
        handle = os.open(draft / f"{name}.json", os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        with os.fdopen(handle, "wb") as file:
            file.write(orjson.dumps(ring, option=orjson.OPT_INDENT_2))
            file.flush()
            os.fsync(handle)
    _sync(draft)
    draft.rename(folder / _WHOLE)
    # What is sealed with these keys outlives a power cut, so they have to.
    _sync(folder)
    # A folder above that may be passed but not read is somebody else's, and was there before.
    with suppress(PermissionError):
        _sync(folder.parent)
    _bring_in(folder)


def _bring_in(folder: Path) -> None:
    """Move rings that are whole to their places, or the rest of them where that was broken off."""
    whole = folder / _WHOLE
    if not whole.exists():
        return
    for path in sorted(whole.iterdir()):
        path.replace(folder / path.name)
    _sync(folder)
    whole.rmdir()


def _sync(folder: Path) -> None:
    handle = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
