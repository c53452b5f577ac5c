"""A geofence for tests of the dispatcher: a real HTTP server that signs as the real one does."""

import hashlib
import zlib
from base64 import b64encode
from typing import Any

import orjson
import shapely
from aiohttp import web
from shapely.geometry import Point, box, shape

from shared.connecticut import is_beyond_state
from shared.security.keys import KeyRing

NEW_HAVEN, HARTFORD = "0900952070", "0900337000"
TOWNS = {
    NEW_HAVEN: ("New Haven", box(-72.99, 41.24, -72.86, 41.35)),
    HARTFORD: ("Hartford", box(-72.72, 41.72, -72.64, 41.81)),
}
CODES = {
    ("SAME", "009009"): TOWNS[NEW_HAVEN][1],
    ("UGC", "CTC003"): TOWNS[HARTFORD][1],
    ("UGC", "CTZ002"): box(-72.70, 41.74, -72.66, 41.79),
}


class FakeGeofence:
    """Answers /internal/v1/areas/resolve; its mood is set by the test."""

    def __init__(self, ring: KeyRing) -> None:
        self._ring = ring
        self.asked: list[Any] = []
        self.reset()

    async def start(self) -> str:
        """Listen on a free port; return the base URL."""
        app = web.Application()
        app.router.add_post("/internal/v1/areas/resolve", self._resolve)
        self._runner = web.AppRunner(app)
        await self._runner.setup()
        site = web.TCPSite(self._runner, "127.0.0.1", 0)
        await site.start()
        port = self._runner.addresses[0][1]
        return f"http://127.0.0.1:{port}"

    async def stop(self) -> None:
        """Stop listening."""
        await self._runner.cleanup()

    def reset(self) -> None:
        """Forget every mood."""
        self.people, self.km2, self.down = 12, 1.5, False
        self.forging = self.replaying = False
        # What is put into an answer before it is signed.
        self.said: dict[str, Any] = {}
        # Faults by pointer and code that an area is refused with whatever it is.
        self.refusing: list[tuple[str, str]] = []
        self.towns = dict(TOWNS)
        self.codes = dict(CODES)
        self.asked.clear()

    async def _resolve(self, request: web.Request) -> web.Response:
        token = request.headers.get("Authorization", "").removeprefix("Bearer ")
        assert "service" in self._ring.tokens.verifier.verify(token).roles
        body = orjson.loads(await request.read())
        self.asked.append(body)
        if self.down:
            return web.Response(status=503)
        if self.refusing:
            return _problem(self.refusing[0][1], *self.refusing)
        include = body["area"].get("include") or ()
        beside = [(one, self._coded(one) is not None) for one in body["area"].get("beside", ())]
        unknown = [number for number, one in enumerate(include) if not self._knows(one)]
        if unknown or any(not (known or _is_beyond(one)) for one, known in beside):
            code = not unknown or _is_code(include[unknown[0]])
            slug = "unknown-geocode" if code else "unknown-feature"
            places = [(f"/area/include/{number}/value", slug) for number in unknown]
            places += [
                (f"/area/beside/{number}/value",
                 "beyond-state" if _is_beyond(one) else "unknown-geocode")
                for number, (one, known) in enumerate(beside) if not known
            ]  # fmt: skip
            return _problem(slug, *places)
        if not include:
            return _problem("include-required", ("/area/include", "include-required"))
        area = shapely.union_all([self._shape(one) for one in include])
        if body["area"].get("exclude"):
            area -= shapely.union_all([self._shape(one) for one in body["area"]["exclude"]])
        if area.is_empty or not area.is_valid:
            return _problem("invalid-geometry", ("/area/include/0", "invalid-geometry"))
        answer = self._answer(shapely.normalize(area), body["nonce"], beside)
        return web.json_response(text=orjson.dumps(answer).decode())

    def _knows(self, one: Any) -> bool:
        if one["type"] == "feature":
            return one["code"] in self.towns
        return not _is_code(one) or self._coded(one) is not None

    def _coded(self, one: Any) -> Any:
        town = self.towns.get(one["value"])
        if one["scheme"] in ("TOWN", "FIPS") and town is not None:
            return town[1]
        return self.codes.get((one["scheme"], one["value"]))

    def _shape(self, one: Any) -> Any:
        if one["type"] == "feature":
            return self.towns[one["code"]][1]
        if one["type"] == "geocode":
            return self._coded(one)
        if one["type"] == "circle":
            return Point(one["lon"], one["lat"]).buffer(one["radius_m"] / 100_000)
        return shape(one["geometry"])

    def _answer(self, area: Any, nonce: str, beside: list[tuple[Any, bool]]) -> dict[str, Any]:
        wkb = shapely.to_wkb(area)
        signer = self._ring.signer
        assert signer is not None
        answer = {
            "wkb": b64encode(zlib.compress(wkb)).decode(),
            "digest": hashlib.sha256(wkb).hexdigest(),
            "area_km2": self.km2,
            "vertices": int(shapely.get_num_coordinates(area)),
            "layer_versions": [],
            "jurisdictions": [
                {"kind": "town", "code": code, "name": name}
                for code, (name, town) in self.towns.items()
                if town.intersects(area.buffer(-1e-5))
            ],
            "estimate": {"people": self.people, "by_channel": {"sms": self.people}},
            "beside": [
                {"scheme": one["scheme"], "value": one["value"], "known": known}
                for one, known in beside
            ],
            "nonce": "an answer of before" if self.replaying else nonce,
            "key_id": signer.key_id,
            **self.said,
        }
        signed = orjson.dumps(answer, option=orjson.OPT_SORT_KEYS)
        if self.forging:
            answer["estimate"] = {"people": 1, "by_channel": {}}
        return answer | {"signature": signer.sign(signed)}


def _is_code(one: Any) -> bool:
    return bool(one["type"] == "geocode")


def _is_beyond(one: Any) -> bool:
    return is_beyond_state(one["scheme"], one["value"])


def _problem(slug: str, *places: tuple[str, str]) -> web.Response:
    body = {
        "type": f"urn:ct-alert:problem:{slug}",
        "title": "Refused",
        "status": 422,
        "detail": "The area is refused.",
        "errors": [{"pointer": pointer, "code": code} for pointer, code in places],
    }
    return web.Response(
        status=422, body=orjson.dumps(body), content_type="application/problem+json"
    )
