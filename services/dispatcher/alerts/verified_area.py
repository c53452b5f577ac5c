"""An area as the geofence signs for it: asking, verifying, and keeping it on an alert."""

import asyncio
import hashlib
import secrets
import zlib
from base64 import b64decode
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import orjson
from aiohttp import ClientError, ClientSession, ClientTimeout
from sqlalchemy import RowMapping

from services.dispatcher.alerts import store
from services.dispatcher.staff.jurisdictions import covers
from services.dispatcher.staff.people import is_state_wide
from shared.db.session import Tx
from shared.security.keys import KeyRing
from shared.security.principal import Principal
from shared.security.signing import SignatureInvalid
from shared.watch import traces
from shared.watch.logs import get_logger
from shared.web.errors import Fault, Problem, forbidden, unavailable, unprocessable

log = get_logger(__name__)

LARGEST_ANSWER = 4_000_000
# An area of 900 kB compressed opens to a few megabytes; what opens to more is no area.
LARGEST_WKB = 16_000_000
TOKEN_S = 60


class AreaUnverified(Exception):
    """The geofence gave no answer that counts; nothing is guessed in its place."""


@dataclass(frozen=True, slots=True)
class Area:
    """An area as the geofence signed for it: WKB in degrees WGS 84 (zlib), digest, estimate."""

    packed: bytes
    digest: str
    people: int
    answer: Mapping[str, Any]

    @property
    def wkb(self) -> bytes:
        """Return the WKB unpacked."""
        return zlib.decompress(self.packed)

    @property
    def towns(self) -> list[str]:
        """Return the geoids of the towns it enters."""
        touched = self.answer.get("jurisdictions", [])
        return [one["code"] for one in touched if one.get("kind") == "town"]


class Geofence:
    """The geofence's internal API, called with this service's own token."""

    def __init__(
        self, http: ClientSession, *, url: str, keyring: KeyRing, timeout_s: float
    ) -> None:
        self._http, self._url, self._keyring = http, url, keyring
        self._timeout = ClientTimeout(total=timeout_s)

    async def ask_area(self, request: Mapping[str, Any]) -> Area:
        """Return the area of a request, verified.

        Raises:
            Problem: the area is refused, with the geofence's own words (400 to 422).
            AreaUnverified: no answer, or one that proves nothing.
        """
        nonce = secrets.token_hex(16)
        status, body = await self._post({"area": request, "nonce": nonce})
        if status in (400, 403, 413, 422):
            raise _relayed(status, body)
        if status != 200:
            log.warning("geofence.refused", status=status)
            raise AreaUnverified(f"the geofence answered {status}")
        try:
            return self._verified(body, nonce)
        except (KeyError, TypeError, ValueError, zlib.error, SignatureInvalid) as error:
            log.critical("geofence.answer_not_genuine", error=type(error).__name__)
            raise AreaUnverified("the geofence's answer is not genuine") from None

    async def _post(self, body: Mapping[str, Any]) -> tuple[int, Any]:
        issuer = self._keyring.tokens.issuer
        if issuer is None:
            raise AreaUnverified("this service has no key to speak with")
        token = issuer.issue(subject="dispatcher", roles=["service"], lifetime_s=TOKEN_S)
        headers = {"Authorization": f"Bearer {token}", "Content-Type": "application/json"}
        trace = traces.current()
        if trace:
            headers["traceparent"] = trace
        try:
            async with self._http.post(
                f"{self._url}/internal/v1/areas/resolve",
                data=orjson.dumps(body),
                headers=headers,
                timeout=self._timeout,
                allow_redirects=False,
            ) as answer:
                raw = await answer.content.read(LARGEST_ANSWER + 1)
                while not answer.content.at_eof() and len(raw) <= LARGEST_ANSWER:
                    raw += await answer.content.read(LARGEST_ANSWER + 1 - len(raw))
                return answer.status, orjson.loads(raw) if raw else None
        except (TimeoutError, ClientError, OSError, orjson.JSONDecodeError) as error:
            log.warning("geofence.unreachable", error=type(error).__name__)
            raise AreaUnverified("the geofence does not answer") from None

    def _verified(self, body: Mapping[str, Any], nonce: str) -> Area:
        signed = {name: value for name, value in body.items() if name != "signature"}
        self._keyring.verifier.verify(
            producer="geofence",
            key_id=body["key_id"],
            signature=body["signature"],
            data=orjson.dumps(signed, option=orjson.OPT_SORT_KEYS),
        )
        if body["nonce"] != nonce:
            raise ValueError("an answer to another question")
        packed = b64decode(body["wkb"], validate=True)
        wkb = zlib.decompressobj().decompress(packed, LARGEST_WKB)
        people = body["estimate"]["people"]
        if not wkb or hashlib.sha256(wkb).hexdigest() != body["digest"]:
            raise ValueError("the area is not the one of the digest")
        if not isinstance(people, int) or isinstance(people, bool) or people < 0:
            raise ValueError("no estimate")
        answer = {name: value for name, value in body.items() if name != "wkb"}
        return Area(packed, body["digest"], people, answer)


async def ask_area(
    geofence: Geofence, request: Mapping[str, Any] | None, *, who: Principal
) -> Area:
    """Return the verified area of a request, inside the jurisdiction of whoever asks.

    Raises:
        Problem: 422 without an area or with a bad one, 403 outside one's own town.
        AreaUnverified: the geofence gave no answer that counts.
    """
    if not request or not request.get("include"):
        raise unprocessable("area-required", "An area is required.", pointer="/area")
    area = await geofence.ask_area(request)
    if not is_state_wide(who):
        await _check_jurisdiction(geofence, area, who.town)
    return area


async def _check_jurisdiction(geofence: Geofence, area: Area, town: str) -> None:
    outside = forbidden("outside-jurisdiction", "The area leaves your jurisdiction.")
    if any(code != town for code in area.towns):
        raise outside
    own = {"include": [{"type": "feature", "kind": "town", "code": town}]}
    try:
        jurisdiction = await geofence.ask_area(own)
    except Problem:
        detail = "Your town's boundary has not been imported, so no area of it can be judged."
        raise unprocessable("town-boundary-missing", detail, pointer="/area") from None
    if not await asyncio.to_thread(covers, jurisdiction.wkb, area.wkb):
        raise outside


async def keep_area(tx: Tx, row: RowMapping, area: Area) -> RowMapping:
    """Keep a verified area on an alert, with the digest that its approver must name."""
    return await store.set_area(
        tx,
        row["alert_id"],
        packed=area.packed,
        area_digest=area.digest,
        answer=area.answer,
        people=area.people,
        digest=digest_of([row["content_digest"], area.digest]),
    )


def digest_of(value: Any) -> str:
    """Return the SHA-256 of a value's JSON with sorted keys."""
    return hashlib.sha256(orjson.dumps(value, option=orjson.OPT_SORT_KEYS)).hexdigest()


def unverified() -> Problem:
    """Return the refusal while the geofence does not answer."""
    return unavailable("area-unverified", "The area cannot be verified now; try again.", 5)


def _relayed(status: int, body: Any) -> Problem:
    body = body if isinstance(body, dict) else {}
    slug = str(body.get("type", "")).rpartition(":")[2] or "area-refused"
    faults = [
        Fault(str(one.get("pointer", "")), str(one.get("code", slug)), one.get("detail"))
        for one in body.get("errors", ())
        if isinstance(one, dict)
    ]
    if not faults:
        faults = [Fault("/area", slug)]
    return Problem(status, slug, str(body.get("detail", "The area is refused.")), errors=faults)
