"""Sends the signed status callbacks when they are due, in each item's order, few at a time."""

import asyncio
import heapq
import re
import secrets
from typing import Any
from urllib.parse import parse_qs

import aiohttp

from simulators.records import Item, Records
from simulators.signature import sign_request

_CONCURRENT = 32
_FIRST_PAUSE_S = 0.2
_MOST_RETRIES = 5
_NUMBER = re.compile(r"[0-9]{1,9}", re.ASCII)


class Callbacks:
    """A heap of what is due and a few senders on one pooled session; waits take no task each."""

    name = "simulator-callbacks"

    def __init__(
        self, records: Records, *, account_sid: str, auth_token: str, delay_ms: int
    ) -> None:
        self.sent = self.failed = 0
        self._records = records
        self._account, self._token, self._delay_s = account_sid, auth_token, delay_ms / 1000
        self._due: list[tuple[float, int, Item, int]] = []
        self._count = 0
        self._wake = asyncio.Event()
        self._session: aiohttp.ClientSession | None = None

    @property
    def waiting(self) -> int:
        """How many items have a callback that is not yet due."""
        return len(self._due)

    def plan(self, item: Item) -> None:
        """Put an item's next callback on the heap."""
        if item.done < len(item.plan):
            delay = item.plan[item.done][3]
            self._push(item, self._delay_s if delay is None else delay / 1000, 0)

    async def send_now(self, item: Item) -> None:
        """Send an item's next callback before its create request is answered."""
        if item.done < len(item.plan):
            answered = await self._post_next(item, 0)
            self._records.step(item, answered=answered)

    async def run(self, stop: asyncio.Event) -> None:
        """Send what is due until told to stop; what a killed process left unsent goes again."""
        for item in self._records.unfinished():
            self._push(item, 0.0, 0)
        senders = [asyncio.create_task(self._send_due(stop)) for _ in range(_CONCURRENT)]
        try:
            await stop.wait()
            self._wake.set()
            await asyncio.gather(*senders)
        finally:
            for sender in senders:
                sender.cancel()
            await asyncio.gather(*senders, return_exceptions=True)
            if self._session is not None:
                await self._session.close()

    async def post(
        self, url: str, params: dict[str, str], headers: dict[str, str], read_s: float
    ) -> tuple[int, bytes]:
        """Post one signed webhook and return status and body.

        Raises:
            aiohttp.ClientError, TimeoutError: nobody answered.
        """
        if self._session is None:
            self._session = aiohttp.ClientSession(
                connector=aiohttp.TCPConnector(limit=2 * _CONCURRENT, keepalive_timeout=30),
                cookie_jar=aiohttp.DummyCookieJar(),
                auto_decompress=False,
            )
        target = url.partition("#")[0]
        signed = {"X-Twilio-Signature": sign_request(self._token, target, params), **headers}
        async with self._session.post(
            target, data=params, headers=signed, timeout=aiohttp.ClientTimeout(total=read_s),
            allow_redirects=False,
        ) as reply:  # fmt: skip
            return reply.status, await reply.read()

    def _push(self, item: Item, delay_s: float, tries: int) -> None:
        self._count += 1
        at = asyncio.get_running_loop().time() + delay_s
        heapq.heappush(self._due, (at, self._count, item, tries))
        if self._due[0][2] is item:
            self._wake.set()

    async def _send_due(self, stop: asyncio.Event) -> None:
        loop = asyncio.get_running_loop()
        while not stop.is_set():
            wait = self._due[0][0] - loop.time() if self._due else 60.0
            if wait > 0:
                self._wake.clear()
                try:
                    await asyncio.wait_for(self._wake.wait(), wait)
                except TimeoutError:
                    pass
                continue
            _, _, item, tries = heapq.heappop(self._due)
            answered = await self._post_next(item, tries)
            retries = min(_override(item.callback, "rc", 1), _MOST_RETRIES)
            if not answered and tries < retries:
                self._push(item, _FIRST_PAUSE_S * 2**tries, tries + 1)
                continue
            self._records.step(item, answered=answered)
            self.plan(item)

    async def _post_next(self, item: Item, tries: int) -> bool:
        status, code, answered_by, _ = item.plan[item.done]
        self._records.advance(item, status, code, answered_by)
        token = {"I-Twilio-Idempotency-Token": f"{item.sid}-{item.done}"} if tries else {}
        read_ms = _override(item.callback, "rt", 15_000)
        try:
            code_answered, _body = await self.post(
                item.callback, self._params(item, status, code), token, read_ms / 1000
            )
        except (aiohttp.ClientError, TimeoutError, OSError):
            code_answered = 0
        answered = 200 <= code_answered < 300
        self.sent += answered
        self.failed += not answered
        return answered

    def _params(self, item: Item, status: str, code: int | None) -> dict[str, str]:
        params: dict[str, str] = {
            "AccountSid": self._account,
            "ApiVersion": "2010-04-01",
            "To": item.to,
            "From": item.from_,
        }
        if item.kind == "sms":
            params |= {"MessageSid": item.sid, "SmsSid": item.sid}
            params |= {"MessageStatus": status, "SmsStatus": status}
        else:
            params |= {"CallSid": item.sid, "CallStatus": status, "Direction": "outbound-api"}
            if item.answered_by:
                params["AnsweredBy"] = item.answered_by
        if code is not None:
            params["ErrorCode"] = str(code)
        return params


_read: dict[str, dict[str, list[str]]] = {}


def _override(callback: str, name: str, usual: int) -> int:
    """Read a number beside a callback's address; one that is none is as good as not given."""
    given = _overrides(callback).get(name, [""])[0]
    return int(given) if _NUMBER.fullmatch(given) else usual


def _overrides(callback: str) -> dict[str, list[str]]:
    fragment = callback.partition("#")[2]
    if fragment not in _read:
        _read[fragment] = parse_qs(fragment)
    return _read[fragment]


def new_sid(prefix: str) -> str:
    """Make a SID: two letters and 32 hex digits."""
    return prefix + secrets.token_hex(16)


def plan_of(receipts: Any, repeat: int) -> list[list[Any]]:
    """Flatten a rule's receipts into a plan that the ledger can hold, each `repeat` times."""
    return [
        [receipt.status, receipt.code, receipt.answered_by, receipt.delay_ms]
        for receipt in receipts
        for _ in range(repeat)
    ]
