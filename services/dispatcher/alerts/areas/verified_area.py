"""An area as the geofence signs for it: asking, and believing nothing that proves nothing."""

import asyncio
import hashlib
import secrets
import zlib
from base64 import b64decode
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import orjson
import shapely
from aiohttp import ClientError, ClientSession, ClientTimeout

from services.dispatcher.settings import Context
from shared.security.keys import KeyRing
from shared.security.signing import SignatureInvalid
from shared.watch import traces
from shared.watch.logs import get_logger
from shared.web.errors import Fault, Problem, unavailable

log = get_logger(__name__)

LARGEST_ANSWER = 4_000_000
# An area of 900 kB compressed opens to a few megabytes; what opens to more is no area.
LARGEST_WKB = 16_000_000
TOKEN_S = 60
WHOLE_EARTH_KM2 = 5.2e8
_NOT_GENUINE = (
    KeyError, TypeError, ValueError, AttributeError, zlib.error, SignatureInvalid,
    shapely.GEOSException,
)  # fmt: skip


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
    def beside(self) -> tuple[Mapping[str, Any], ...]:
        """Return the geocodes beside its shapes: scheme, value, and whether each is known."""
        return tuple(self.answer.get("beside", ()))

    @property
    def km2(self) -> float:
        """Return how large it is in square kilometres."""
        return float(self.answer["area_km2"])

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

    @classmethod
    def of(cls, context: Context) -> "Geofence":
        """Return the geofence that a process's settings name."""
        settings = context.settings
        return cls(
            context.http,
            url=settings.geofence_url,
            keyring=context.keyring,
            timeout_s=settings.geofence_timeout_s,
        )

    async def ask(self, request: Mapping[str, Any], *, town: str) -> Area:
        """Return the area of a request, verified; `town` is whose saved areas it may name.

        Raises:
            Problem: the area is refused, with the geofence's own words (400 to 422).
            AreaUnverified: no answer, or one that proves nothing.
        """
        nonce = secrets.token_hex(16)
        status, body = await self._post({"area": request, "nonce": nonce, "town": town})
        if status in (400, 403, 413, 422):
            raise _relayed(status, body)
        if status != 200:
            log.warning("geofence.refused", status=status)
            raise AreaUnverified(f"the geofence answered {status}")
        try:
            area = self._verified(body, nonce)
            await asyncio.to_thread(_check_geometry, area.wkb)
        except _NOT_GENUINE as error:
            log.critical("geofence.answer_not_genuine", error=type(error).__name__)
            raise AreaUnverified("the geofence's answer is not genuine") from None
        return area

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
        people, km2 = body["estimate"]["people"], body["area_km2"]
        if not wkb or hashlib.sha256(wkb).hexdigest() != body["digest"]:
            raise ValueError("the area is not the one of the digest")
        if not isinstance(people, int) or isinstance(people, bool) or people < 0:
            raise ValueError("no estimate")
        if type(km2) not in (int, float) or not 0 <= km2 < WHOLE_EARTH_KM2:
            raise ValueError("no size")
        answer = {name: value for name, value in body.items() if name != "wkb"}
        return Area(packed, body["digest"], people, answer)


def digest_of(value: Any) -> str:
    """Return the SHA-256 of a value's JSON with sorted keys."""
    return hashlib.sha256(orjson.dumps(value, option=orjson.OPT_SORT_KEYS)).hexdigest()


def unverified() -> Problem:
    """Return the refusal while the geofence does not answer."""
    return unavailable("area-unverified", "The area cannot be verified now; try again.", 5)


def _check_geometry(wkb: bytes) -> None:
    """Raise where a signed area is none: whoever signed it, nothing is never everywhere (S05)."""
    with np.errstate(invalid="ignore"):
        geometry = shapely.from_wkb(wkb)
    if geometry.geom_type not in ("Polygon", "MultiPolygon") or geometry.is_empty:
        raise ValueError("the area is no polygon, or an empty one")
    if not np.isfinite(shapely.get_coordinates(geometry)).all():
        raise ValueError("the area has corners that are nowhere")
    if not shapely.is_valid(geometry) or geometry.area <= 0:
        raise ValueError("the area is not valid")


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
