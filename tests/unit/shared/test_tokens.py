"""Bearer tokens: what is taken, what is refused, and what a route asks of them."""

import base64
import hmac
import json
from collections.abc import AsyncIterator, Callable, Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import httpx2
import jwt
import pytest
import time_machine
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    PublicFormat,
)
from fastapi import APIRouter

from shared.security.tokens import Issuer, TokenInvalid, TokenIssuer, TokenVerifier
from shared.web.app import StrictModel, make_app
from shared.web.auth import BearerJwt, Principal, require

EC_KEY = ec.generate_private_key(ec.SECP256R1())
OTHER_KEY = ec.generate_private_key(ec.SECP256R1())
RSA_KEY = rsa.generate_private_key(public_exponent=65537, key_size=2048)
NOW = datetime.now(UTC)


@pytest.fixture(autouse=True)
def as_when_made() -> Iterator[None]:
    """Tokens are made as tests are collected; a long run must not outlive them."""
    with time_machine.travel(NOW, tick=True):
        yield


def pem(key: ec.EllipticCurvePrivateKey | rsa.RSAPrivateKey) -> str:
    return key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()).decode()


VERIFIER = TokenVerifier(
    [
        Issuer("staff", "staff", "ES256", {"k1": EC_KEY.public_key()}),
        Issuer("oidc", "staff", "RS256", {"r1": RSA_KEY.public_key()}),
        Issuer("service:dispatcher", "service", "ES256", {"s1": OTHER_KEY.public_key()}),
    ]
)
ISSUER = TokenIssuer(pem(EC_KEY), issuer="staff", key_id="k1")


def claims(**changes: Any) -> dict[str, Any]:
    made = {
        "iss": "staff",
        "sub": "ann",
        "aud": "ct-alert",
        "iat": NOW,
        "exp": NOW + timedelta(minutes=5),
        "auth_time": int(NOW.timestamp()),
        "jti": "1",
        "roles": ["manager"],
        "town": "*",
    }
    return {name: value for name, value in {**made, **changes}.items() if value is not None}


def token(
    key: Any = EC_KEY,
    algorithm: str = "ES256",
    headers: dict[str, Any] | None = None,
    **changes: Any,
) -> str:
    header = {"typ": "at+jwt", "kid": "k1", **(headers or {})}
    return jwt.encode(claims(**changes), key, algorithm=algorithm, headers=header)


def encoded(raw: bytes) -> str:
    return base64.urlsafe_b64encode(raw).rstrip(b"=").decode()


def with_header(**changes: Any) -> str:
    _, body, signature = token().split(".")
    raw = json.dumps({"alg": "ES256", "typ": "at+jwt", "kid": "k1", **changes}).encode()
    return f"{encoded(raw)}.{body}.{signature}"


def unsigned() -> str:
    body = token().split(".")[1]
    raw = json.dumps({"alg": "none", "typ": "at+jwt", "kid": "k1"}).encode()
    return f"{encoded(raw)}.{body}."


def hmac_with_public_key() -> str:
    public = EC_KEY.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)
    body = token().split(".")[1]
    header = encoded(json.dumps({"alg": "HS256", "typ": "at+jwt", "kid": "k1"}).encode())
    signature = hmac.digest(public, f"{header}.{body}".encode(), "sha256")
    return f"{header}.{body}.{encoded(signature)}"


BAD: dict[str, Callable[[], str]] = {
    "none": unsigned,
    "hmac with the public key": hmac_with_public_key,
    "no exp": lambda: token(exp=None),
    "no iat": lambda: token(iat=None),
    "no sub": lambda: token(sub=None),
    "empty sub": lambda: token(sub=""),
    "blank sub": lambda: token(sub=" \t"),
    "no jti": lambda: token(jti=None),
    "no aud": lambda: token(aud=None),
    "no roles": lambda: token(roles=None),
    "roles as text": lambda: token(roles="manager"),
    "no town": lambda: token(town=None),
    "no auth_time": lambda: token(auth_time=None),
    "expired": lambda: token(exp=NOW - timedelta(minutes=1)),
    "issued later": lambda: token(iat=NOW + timedelta(minutes=2)),
    "for years": lambda: token(exp=NOW + timedelta(days=900)),
    "other audience": lambda: token(aud="other"),
    "many audiences": lambda: token(aud=["ct-alert", "other"]),
    "unknown issuer": lambda: token(iss="nobody"),
    "issuer as list": lambda: token(headers={}, iss="staff").replace(".", ".x", 1),
    "other issuer's key": lambda: token(OTHER_KEY, headers={"kid": "s1"}),
    "wrong key": lambda: token(OTHER_KEY),
    "kid of a path": lambda: token(headers={"kid": "../k1"}),
    "no kid": lambda: token(headers={"kid": ""}),
    "wrong type": lambda: token(headers={"typ": "JWT"}),
    "type not text": lambda: with_header(typ=None),
    "crit": lambda: token(headers={"crit": ["x"], "x": 1}),
    "own algorithm of another issuer": lambda: token(RSA_KEY, "RS256"),
    "embedded key": lambda: token(OTHER_KEY, headers={"jwk": {"kty": "EC"}, "jku": "http://x"}),
    "a megabyte": lambda: "ey" + "a" * 1_000_000 + ".b.c",
    "rubbish": lambda: "eyrubbish.x.y",
    "exp as text": lambda: token(exp="99999999999"),
    "endless auth_time": lambda: token(auth_time=-1),
}


@pytest.mark.shows("S08", "bad:J24")
@pytest.mark.parametrize("name", BAD)
def test_a_token_that_is_not_exactly_right_is_refused(name: str) -> None:
    with pytest.raises(TokenInvalid):
        VERIFIER.verify(BAD[name]())


@pytest.mark.shows("S08")
def test_right_tokens_say_who_it_is() -> None:
    who = VERIFIER.verify(ISSUER.issue(subject="ann", roles=["manager"], town="0937000"))
    assert (who.subject, who.kind, who.roles, who.town) == ("ann", "staff", {"manager"}, "0937000")
    assert who.auth_time
    assert abs(who.auth_time - datetime.now(UTC)) < timedelta(minutes=1)
    assert VERIFIER.verify(token(RSA_KEY, "RS256", {"kid": "r1"}, iss="oidc")).kind == "staff"


@pytest.mark.shows("S13")
def test_no_staff_token_makes_a_service() -> None:
    assert VERIFIER.verify(token(roles=["service", "viewer"])).roles == {"viewer"}
    service = token(OTHER_KEY, headers={"kid": "s1"}, iss="service:dispatcher", roles=["admin"])
    assert VERIFIER.verify(service).roles == frozenset()


class Body(StrictModel):
    n: int


router = APIRouter()


@router.post("/v1/guarded")
async def guarded(body: Body, who: Principal = require("manager", "admin")) -> dict[str, str]:
    return {"who": who.subject}


@pytest.fixture
async def client() -> AsyncIterator[httpx2.AsyncClient]:
    app = make_app(
        title="t", service="test", routers=[router], authenticators=[BearerJwt(VERIFIER)]
    )
    async with httpx2.AsyncClient(
        transport=httpx2.ASGITransport(app=app), base_url="http://test"
    ) as client:
        yield client


@pytest.mark.shows("S13", "bad:J24", "bad:J25")
@pytest.mark.parametrize(
    ("authorization", "status"),
    [
        (None, 401),
        ("", 401),
        ("Basic YTpi", 401),
        ("Bearer", 401),
        ("Bearer nothing", 401),
        (f"Bearer {token(exp=NOW - timedelta(minutes=1))}", 401),
        (f"Bearer {token(sub='')}", 401),
        (f"Bearer {token(roles=['viewer'])}", 403),
        (f"Bearer {token()}", 200),
        (f"bearer {token(roles=['admin'])}", 200),
    ],
)
async def test_a_route_asks_for_one_of_its_roles(
    client: httpx2.AsyncClient, authorization: str | None, status: int
) -> None:
    headers = {"authorization": authorization} if authorization is not None else {}
    response = await client.post("/v1/guarded", json={"n": 1}, headers=headers)
    assert response.status_code == status
    if status == 401:
        assert response.headers["www-authenticate"] == "Bearer"


@pytest.mark.shows("S13", "S45")
async def test_who_asks_is_judged_before_what_is_sent(client: httpx2.AsyncClient) -> None:
    headers = {"content-type": "application/json"}
    assert (await client.post("/v1/guarded", content=b"{", headers=headers)).status_code == 401
    viewer = {**headers, "authorization": f"Bearer {token(roles=['viewer'])}"}
    assert (await client.post("/v1/guarded", content=b"{", headers=viewer)).status_code == 403


@pytest.mark.shows("S13")
def test_a_route_that_names_neither_roles_nor_public_stops_the_start() -> None:
    forgotten = APIRouter()

    @forgotten.get("/v1/open")
    async def open_to_all() -> None:
        return None

    with pytest.raises(ValueError, match="/v1/open"):
        make_app(title="t", service="test", routers=[forgotten], authenticators=[])
