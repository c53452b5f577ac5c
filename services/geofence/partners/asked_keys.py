"""Partners' keys as the dispatcher knows them: asked each time, so that a revoked one is gone."""

import asyncio
import hashlib
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any
from weakref import WeakValueDictionary

import orjson
from aiohttp import ClientError, ClientSession, ClientTimeout

from shared.security.networks import network_of
from shared.security.partner_keys import PARTNER_ROLES, UNKNOWN
from shared.security.principal import Principal
from shared.security.tokens import TokenIssuer
from shared.watch import traces
from shared.watch.logs import get_logger
from shared.web.auth import PartnerKey, bad_key
from shared.web.errors import Problem, unavailable
from shared.web.limits import Limits

log = get_logger(__name__)

# Three replicas leave one of a dispatcher's ten connections to those who warn, whoever tries keys.
AT_ONCE = 3
# Keys that have proved themselves find a turn whoever guesses.
UNPROVED_AT_ONCE = 2
LARGEST_ANSWER = 10_000
TOKEN_S = 60
PER_S = 60
_NO_ANSWER = (
    TimeoutError, ClientError, OSError, ValueError, KeyError, TypeError, AttributeError,
)  # fmt: skip


class AskedKeys(PartnerKey):
    """Knows whose a key is by asking the dispatcher with this service's own token."""

    def __init__(
        self,
        http: ClientSession,
        *,
        url: str,
        issuer: TokenIssuer | None,
        timeout_s: float,
        limits: Limits,
        refused_a_minute: int,
    ) -> None:
        self._http, self._url, self._issuer = http, url, issuer
        self._timeout_s = timeout_s
        self._turns = asyncio.Semaphore(AT_ONCE)
        self._unproved = asyncio.Semaphore(UNPROVED_AT_ONCE)
        # One unproved key of a network at a time: a thousand guesses from one of them are one
        # ahead of another network's partner, and none is asked about once enough were refused.
        self._lines: WeakValueDictionary[str, asyncio.Lock] = WeakValueDictionary()
        self._limits, self._refused_a_minute = limits, refused_a_minute
        # Hashes of keys that were good when they last came: they are asked about all the same,
        # but whoever guesses from a partner's network does not shut the partner out.
        self._proved: set[bytes] = set()

    async def recognise(self, key: str, *, caller: str) -> Principal:
        """Return the partner of a key, as the dispatcher says now.

        Raises:
            Problem: 401 when the key is nobody's, 429 after too many such keys from one network,
                503 while the dispatcher does not say.
        """
        mark, network = hashlib.sha256(key.encode()).digest(), f"keys:{network_of(caller)}"
        await self._brake(mark, network)
        try:
            async with asyncio.timeout(self._timeout_s), self._turn(mark, network):
                # Those before it in the line may have been refused meanwhile.
                await self._brake(mark, network)
                return await self._judge(key, mark, network)
        except TimeoutError:
            log.warning("partners.not_asked", error=TimeoutError.__name__)
            raise _unknown() from None

    async def _brake(self, mark: bytes, network: str) -> None:
        if mark not in self._proved:
            await self._limits.check(network, limit=self._refused_a_minute, per_s=PER_S)

    @asynccontextmanager
    async def _turn(self, mark: bytes, network: str) -> AsyncIterator[None]:
        if mark in self._proved:
            async with self._turns:
                yield
            return
        line = self._lines.setdefault(network, asyncio.Lock())
        async with line, self._unproved, self._turns:
            yield

    async def _judge(self, key: str, mark: bytes, network: str) -> Principal:
        partner = await self._ask(key)
        if partner is None:
            self._proved.discard(mark)
            await self._limits.hit(None, network, limit=self._refused_a_minute, per_s=PER_S)
            raise bad_key()
        self._proved.add(mark)
        return partner

    async def _ask(self, key: str) -> Principal | None:
        if self._issuer is None:
            log.error("partners.no_token_key")
            raise _unknown()
        token = self._issuer.issue(subject="geofence", roles=["service"], lifetime_s=TOKEN_S)
        try:
            status, body = await self._post(key, token)
            if status == 200:
                return _partner(body)
            if status == 404 and body["type"].endswith(f":{UNKNOWN}"):
                return None
        except _NO_ANSWER as error:
            log.warning("partners.not_asked", error=type(error).__name__)
            raise _unknown() from None
        log.warning("partners.refused", status=status)
        raise _unknown()

    async def _post(self, key: str, token: str) -> tuple[int, Any]:
        headers = {"Authorization": f"Bearer {token}", "Content-Type": "application/json"}
        if trace := traces.current():
            headers["traceparent"] = trace
        async with self._http.post(
            f"{self._url}/internal/v1/partners/recognise",
            data=orjson.dumps({"api_key": key}),
            headers=headers,
            timeout=ClientTimeout(total=self._timeout_s),
            allow_redirects=False,
        ) as answer:
            raw = b""
            async for part in answer.content.iter_chunked(LARGEST_ANSWER):
                raw += part
                if len(raw) > LARGEST_ANSWER:
                    raise ValueError("an answer longer than any")
            return answer.status, orjson.loads(raw)


def _partner(body: Any) -> Principal:
    """Read who it is; whatever the answer says, a key gives nobody more than a partner's roles."""
    subject, town, roles = body["subject"], body["town"], frozenset(body["roles"])
    if not (isinstance(subject, str) and subject and isinstance(town, str) and town):
        raise ValueError("an answer that names nobody")
    return Principal(subject=subject, kind="partner", roles=roles & PARTNER_ROLES, town=town)


def _unknown() -> Problem:
    return unavailable("partners-unavailable", "Partners cannot be recognised now; try again.", 5)
