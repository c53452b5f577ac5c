"""Mails by SMTP: a few pooled connections, each carrying one mail's body with the next's commands.

The outcome of each mail is its own: before the final dot has left, a lost connection means the
mail was not taken; after it, nobody knows until a reply has come.
"""

import asyncio
import contextlib
from collections import deque
from collections.abc import Callable, Collection
from dataclasses import dataclass
from datetime import datetime

import aiosmtplib

from services.dispatcher.providers.base import (
    Accepted,
    Ambiguous,
    Lapsed,
    Message,
    ProviderError,
    Unreachable,
)
from services.dispatcher.providers.mail import Composer, Envelope
from services.dispatcher.providers.smtp_codes import Stage, reply_error
from services.dispatcher.providers.smtp_session import Lost, Reply, Session, open_session
from shared.clock import Clock

_IDLE_S = 20.0
# Less than the time a delivery may be in a provider's hands, so that the answer is known.
_LONGEST_QUEUE_S = 8.0
# What each command of a mail's beginning is answered when all is well.
_STAGES: tuple[tuple[Stage, frozenset[int]], ...] = (
    ("mail", frozenset({250})),
    ("rcpt", frozenset({250, 251})),
    ("data", frozenset({354})),
)


@dataclass(slots=True, eq=False)
class _Job:
    envelope: Envelope
    result: asyncio.Future[Accepted]
    begun: bool = False
    dotted: bool = False


class Smtp:
    """Hands mails to one server over at most `connections` connections."""

    name = "smtp"
    channel = "email"
    can_look_up = False

    def __init__(
        self,
        client: Callable[[], aiosmtplib.SMTP],
        composer: Composer,
        *,
        clock: Clock,
        connections: int = 8,
        reply_within_s: float = 8.0,
        dot_within_s: float = 10.0,
    ) -> None:
        self._client, self._composer, self._clock = client, composer, clock
        self._most = connections
        self._within_s, self._dot_within_s = reply_within_s, dot_within_s
        self._jobs: deque[_Job] = deque()
        self._free = 0
        self._wake = asyncio.Condition()
        self._workers: set[asyncio.Task[None]] = set()

    async def send(self, message: Message) -> Accepted:
        """Hand one mail over; returns when the server has taken it.

        Raises:
            ProviderError: it was refused, or nobody knows.
        """
        if message.expires_at <= self._clock.now():
            raise Lapsed("expired", "It expired before it was sent")
        envelope = self._composer.compose(message)
        job = _Job(envelope, asyncio.get_running_loop().create_future())
        self._jobs.append(job)
        if len(self._jobs) > self._free and len(self._workers) < self._most:
            worker = asyncio.create_task(self._work())
            self._workers.add(worker)
            worker.add_done_callback(self._workers.discard)
        async with self._wake:
            self._wake.notify()
        try:
            await asyncio.wait([job.result], timeout=_LONGEST_QUEUE_S)
            if not job.result.done() and not job.begun:
                raise Unreachable("no-connection", "No connection was free in time")
            return await asyncio.shield(job.result)
        finally:
            with contextlib.suppress(ValueError):
                self._jobs.remove(job)

    async def look_up(
        self, message: Message, *, since: datetime, taken: Collection[str] = ()
    ) -> Accepted | None:
        """Find nothing: a mail server has no list to look into."""
        return None

    async def close(self) -> None:
        """Close every connection; whoever still waits is told."""
        while self._jobs:
            _fail(self._jobs.popleft(), Unreachable("closed", "The provider was closed"))
        for worker in list(self._workers):
            worker.cancel()
        await asyncio.gather(*self._workers, return_exceptions=True)

    async def _work(self) -> None:
        """Open a connection and serve jobs on it until there are none for a while."""
        session: Session | None = None
        job = self._take()
        try:
            while job is not None:
                if session is None or not session.alive:
                    session = await self._open(job)
                    if session is None:
                        return
                await self._serve(session, job)
                job = await self._next()
        finally:
            if job is not None and not job.result.done():
                job.result.set_exception(Unreachable("closed", "The connection was closed"))
                job.result.exception()
            if session is not None and session.alive:
                await session.quit()

    async def _open(self, job: _Job) -> Session | None:
        client = self._client()
        try:
            return await open_session(client, within_s=self._within_s)
        except ProviderError as error:
            _fail(job, error)
        except BaseException:
            client.close()
            raise
        client.close()
        return None

    async def _serve(self, session: Session, job: _Job) -> None:
        under_way = [job]
        try:
            if session.pipelining:
                await self._pipeline(session, under_way)
            else:
                await _one_by_one(session, job, dot_within_s=self._dot_within_s)
        except Lost as error:
            for one in under_way:
                _fail(one, _lost(error, one))
        except asyncio.CancelledError:
            for one in under_way:
                _fail(one, _lost(Lost("closed by us"), one))
            session.close()
            raise

    async def _pipeline(self, session: Session, under_way: list[_Job]) -> None:
        """Serve a job and whatever waits behind it: each body leaves with the next's commands."""
        session.begin(under_way[0].envelope)
        while under_way:
            current = under_way[0]
            error = await _begun(session)
            if error is not None:
                _fail(current, error)
                if session.alive:
                    self._take_into(under_way)
                if len(under_way) > 1:
                    session.begin(under_way[1].envelope)
            else:
                self._take_into(under_way)
                session.write(current.envelope.data + b".\r\n")
                current.dotted = True
                if len(under_way) > 1:
                    session.begin(under_way[1].envelope)
                _settle(current, *await session.reply(within_s=self._dot_within_s))
            del under_way[0]

    def _take_into(self, under_way: list[_Job]) -> None:
        job = self._take()
        if job is not None:
            under_way.append(job)

    def _take(self) -> _Job | None:
        while self._jobs:
            job = self._jobs.popleft()
            if not job.result.done():
                job.begun = True
                return job
        return None

    async def _next(self) -> _Job | None:
        job = self._take()
        if job is not None:
            return job
        self._free += 1
        try:
            async with self._wake, asyncio.timeout(_IDLE_S):
                while (job := self._take()) is None:
                    await self._wake.wait()
                return job
        except TimeoutError:
            return None
        finally:
            self._free -= 1


async def _one_by_one(session: Session, job: _Job, *, dot_within_s: float) -> None:
    envelope = job.envelope
    commands = (
        f"MAIL FROM:<{envelope.sender}>\r\n", f"RCPT TO:<{envelope.recipient}>\r\n", "DATA\r\n",
    )  # fmt: skip
    for (stage, wanted), command in zip(_STAGES, commands, strict=True):
        session.write(command.encode())
        code, text = await session.reply()
        if code not in wanted:
            _fail(job, reply_error(code, text, stage))
            await _abandon(session, data_open=False)
            return
    session.write(envelope.data + b".\r\n")
    job.dotted = True
    _settle(job, *await session.reply(within_s=dot_within_s))


async def _begun(session: Session) -> ProviderError | None:
    """Read the replies to MAIL, RCPT and DATA; return the first refusal, the rest only echoes it.

    Raises:
        Lost: the connection broke before anything was refused.
    """
    replies: list[Reply] = []
    try:
        for _ in _STAGES:
            replies.append(await session.reply())
    except Lost:
        # A server that closes has often said why.
        error = _refusal(replies)
        if error is None:
            raise
        return error
    error = _refusal(replies)
    if error is not None:
        await _abandon(session, data_open=replies[-1][0] == 354)
    return error


def _refusal(replies: list[Reply]) -> ProviderError | None:
    for (stage, wanted), (code, text) in zip(_STAGES, replies, strict=False):
        if code not in wanted:
            return reply_error(code, text, stage)
    return None


async def _abandon(session: Session, *, data_open: bool) -> None:
    """Bring the connection back to where a new mail may begin."""
    try:
        if data_open:
            # A server that opens DATA with no recipient gets an empty mail to nobody.
            session.write(b".\r\n")
            await session.reply()
        session.write(b"RSET\r\n")
        await session.reply()
    except Lost:
        session.close()


def _settle(job: _Job, code: int, text: str) -> None:
    if job.result.done():
        return
    if code == 250:
        job.result.set_result(Accepted(job.envelope.message_id, "accepted"))
    else:
        _fail(job, reply_error(code, text, "dot"))


def _fail(job: _Job, error: ProviderError) -> None:
    if not job.result.done():
        job.result.set_exception(error)
        # Whoever asked may have gone; the failure is not lost on anybody else.
        job.result.exception()


def _lost(error: Lost, job: _Job) -> ProviderError:
    if job.dotted:
        return Ambiguous("lost-after-dot", str(error))
    return Unreachable("lost-before-dot", str(error))
