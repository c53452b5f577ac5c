"""The twilio client on one tuned session: our base address, no hidden retries, errors named."""

import asyncio
import base64
import re
import ssl
from collections.abc import Mapping
from email.utils import parsedate_to_datetime
from typing import Any
from urllib.parse import urlencode, urlsplit

import aiohttp
import orjson
from twilio.base import values
from twilio.http.async_http_client import AsyncTwilioHttpClient
from twilio.http.response import Response
from twilio.rest import Client
from yarl import URL

from services.dispatcher.providers.base import Ambiguous, ProviderError, Unreachable
from services.dispatcher.providers.twilio_codes import reply_error
from shared.clock import Clock

_MOST_BYTES = 1_000_000
# Below the minute after which load balancers drop idle connections: a reset would be ambiguous.
_KEEP_ALIVE_S = 15.0
_CONNECT_S = 5.0
_LONGEST_WAIT_S = 600.0
_SID = re.compile(r"[!-~]{1,128}")
_E164 = re.compile(r"\+[1-9][0-9]{6,14}")


class TwilioHttp(AsyncTwilioHttpClient):  # type: ignore[misc]
    """One aiohttp session per process; every failure leaves as one of the provider errors."""

    def __init__(
        self,
        base_url: str,
        account_sid: str,
        auth_token: str,
        *,
        clock: Clock,
        connections: int,
        reply_within_s: float,
    ) -> None:
        super().__init__(pool_connections=False)
        self._base = base_url.rstrip("/")
        self._clock = clock
        # Connecting has failed safely, a reply that does not come may have been accepted.
        self._timeout = aiohttp.ClientTimeout(
            total=_CONNECT_S + 2 * reply_within_s,
            connect=_CONNECT_S,
            sock_connect=_CONNECT_S,
            sock_read=reply_within_s,
        )
        credentials = base64.b64encode(f"{account_sid}:{auth_token}".encode()).decode()
        self.session: aiohttp.ClientSession = aiohttp.ClientSession(
            connector=aiohttp.TCPConnector(
                limit=connections, keepalive_timeout=_KEEP_ALIVE_S, ttl_dns_cache=60
            ),
            headers={"Authorization": f"Basic {credentials}"},
            cookie_jar=aiohttp.DummyCookieJar(),
            skip_auto_headers=("User-Agent",),
        )

    async def request(
        self,
        method: str,
        url: str,
        params: Mapping[str, object] | None = None,
        data: Mapping[str, object] | None = None,
        headers: dict[str, str] | None = None,
        auth: object = None,
        timeout: float | None = None,  # noqa: ASYNC109 (the client's own signature)
        allow_redirects: bool = False,
    ) -> Response:
        """Make one request, once.

        Raises:
            ProviderError: there was no connection, no reply in time, or one of 400 and above.
        """
        target = self._base + url.partition("://")[2].removeprefix(urlsplit(url).netloc)
        if params:
            target += "?" + urlencode(_given(params), doseq=True)
        body = urlencode(_given(data), doseq=True).encode() if data else None
        try:
            async with self.session.request(
                method, URL(target, encoded=True), data=body, headers=headers,
                allow_redirects=False, timeout=self._timeout,
            ) as reply:  # fmt: skip
                raw = await _read(reply)
                status, heads = reply.status, reply.headers
        except (
            aiohttp.ClientConnectorError,
            aiohttp.ConnectionTimeoutError,
            ssl.SSLError,
        ) as error:
            raise Unreachable("no-connection", type(error).__name__) from error
        except (aiohttp.ClientError, TimeoutError, OSError) as error:
            raise Ambiguous("no-reply", type(error).__name__) from error
        if status >= 400:
            raise reply_error(status, _code(raw), retry_after_s=self._retry_after(heads))
        return Response(status, raw.decode("utf-8", "replace"), heads)

    async def close(self) -> None:
        """Close the session and let its transports go."""
        await self.session.close()
        await asyncio.sleep(0)

    def _retry_after(self, headers: Mapping[str, str]) -> float | None:
        value = headers.get("Retry-After")
        if value is None:
            return None
        try:
            seconds = float(value)
        except ValueError:
            try:
                seconds = (parsedate_to_datetime(value) - self._clock.now()).total_seconds()
            except (ValueError, TypeError):
                return None
        # Also keeps NaN and infinity out of the pacing.
        return min(max(seconds, 0.0), _LONGEST_WAIT_S) if seconds == seconds else None


def open_client(http: TwilioHttp, account_sid: str, auth_token: str) -> Client:
    """Return the vendor's client on our session; made inside the running loop."""
    return Client(account_sid, auth_token, http_client=http, environment={})


def is_e164(number: str) -> bool:
    """Say whether this is a number in E.164 form, with nothing before or after it."""
    return _E164.fullmatch(number) is not None


def sid_of(instance: Any) -> tuple[str, str]:
    """Return SID and status of a created resource.

    Raises:
        Ambiguous: the reply has none, though the request succeeded.
    """
    sid, status = instance.sid, instance.status
    if not isinstance(sid, str) or not _SID.fullmatch(sid):
        raise Ambiguous("no-sid", "The reply names no SID")
    return sid, status if isinstance(status, str) and status else "queued"


def unreadable(error: Exception) -> ProviderError:
    """Return what it means that a reply below 400 could not be read."""
    return Ambiguous("unreadable", type(error).__name__)


async def _read(reply: aiohttp.ClientResponse) -> bytes:
    chunks, size = [], 0
    async for chunk in reply.content.iter_any():
        chunks.append(chunk)
        size += len(chunk)
        if size > _MOST_BYTES:
            raise Ambiguous("endless-reply", "The reply is longer than any we asked for")
    return b"".join(chunks)


def _given(fields: Mapping[str, object]) -> dict[str, object]:
    return {k: v for k, v in fields.items() if v is not None and v is not values.unset}


def _code(raw: bytes) -> int | None:
    try:
        code = orjson.loads(raw)["code"]
        return int(code)
    except (ValueError, KeyError, TypeError):
        return None
