"""The demo's HTTP client: the same APIs that anybody else calls."""

import json
from types import TracebackType
from typing import Any, Self

import aiohttp


class Refused(Exception):
    """An API answered with a problem."""

    def __init__(self, status: int, body: str) -> None:
        super().__init__(f"HTTP {status}: {body[:500]}")
        self.status = status


class Api:
    """Calls one base address with one credential."""

    def __init__(self, session: aiohttp.ClientSession, base: str, headers: dict[str, str]) -> None:
        self._session, self._base, self._headers = session, base, headers

    def as_bearer(self, token: str) -> Self:
        """Return the same API with another bearer token."""
        return type(self)(self._session, self._base, {"Authorization": f"Bearer {token}"})

    def with_key(self, key: str) -> Self:
        """Return the same API with a partner's key."""
        return type(self)(self._session, self._base, {"X-Api-Key": key})

    async def get(self, path: str, **params: str) -> Any:
        """Return the JSON at the path.

        Raises:
            Refused: the answer is not a success.
        """
        return await self._call("GET", path, params=params)

    async def get_text(self, path: str, **params: str) -> str:
        """Return the text at the path; raises Refused."""
        return await self._call_text("GET", path, params=params)

    async def post(self, path: str, body: Any, **headers: str) -> Any:
        """Post a JSON body, return the JSON answer; raises Refused."""
        return await self._call("POST", path, json=body, headers=headers)

    async def put(self, path: str, body: Any) -> Any:
        """Put a JSON body, return the JSON answer; raises Refused."""
        return await self._call("PUT", path, json=body)

    async def delete(self, path: str) -> Any:
        """Delete what is at the path, return the JSON answer; raises Refused."""
        return await self._call("DELETE", path)

    async def post_bytes(self, path: str, body: bytes, media_type: str) -> Any:
        """Post bytes of the media type, return the JSON answer; raises Refused."""
        return await self._call("POST", path, data=body, headers={"Content-Type": media_type})

    async def _call(self, method: str, path: str, **options: Any) -> Any:
        text = await self._call_text(method, path, **options)
        return json.loads(text) if text else None

    async def _call_text(self, method: str, path: str, **options: Any) -> str:
        headers = {**self._headers, **options.pop("headers", {})}
        async with self._session.request(
            method, self._base + path, headers=headers, **options
        ) as answer:
            text = await answer.text()
            if answer.status >= 300:
                raise Refused(answer.status, text)
            return text


class World:
    """The addresses of the running system, on one session."""

    def __init__(self, *, subscriber: str, geofence: str, dispatcher: str, simulators: str) -> None:
        self.bases = {
            "subscriber": subscriber,
            "geofence": geofence,
            "dispatcher": dispatcher,
            "simulators": simulators,
        }

    async def __aenter__(self) -> Self:
        """Open the session."""
        self._session = aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(total=30))
        bases = (Api(self._session, base, {}) for base in self.bases.values())
        self.subscriber, self.geofence, self.dispatcher, self.simulators = bases
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Close the session."""
        await self._session.close()
