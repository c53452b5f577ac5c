"""One SMTP connection that pipelines (RFC 2920) after aiosmtplib has opened and secured it."""

import asyncio
from typing import cast

import aiosmtplib

from services.dispatcher.providers.base import Misconfigured, Unreachable
from services.dispatcher.providers.mail import Envelope
from services.dispatcher.providers.smtp_codes import reply_error

_MOST_REPLY_BYTES = 16_384
Reply = tuple[int, str]


class Lost(ConnectionError):
    """The connection broke, fell silent, or answered what cannot be read."""


class Session(asyncio.Protocol):
    """Reads replies in order; writes the commands of one mail in one packet where allowed."""

    def __init__(self, transport: asyncio.Transport, *, pipelining: bool, within_s: float) -> None:
        self.pipelining = pipelining
        self._transport: asyncio.Transport | None = transport
        self._within_s = within_s
        self._buffer = bytearray()
        self._replies: list[Reply] = []
        self._lines: list[str] = []
        self._waiter: asyncio.Future[None] | None = None
        self._broken: str | None = None

    @property
    def alive(self) -> bool:
        """Whether the connection can still be used."""
        return self._broken is None and self._transport is not None

    def write(self, data: bytes) -> None:
        """Send bytes as they are.

        Raises:
            Lost: the connection is gone.
        """
        if self._transport is None or self._broken is not None:
            raise Lost(self._broken or "closed")
        self._transport.write(data)

    def begin(self, envelope: Envelope) -> None:
        """Send MAIL, RCPT and DATA of a mail together; only where the server pipelines."""
        self.write(
            f"MAIL FROM:<{envelope.sender}>\r\nRCPT TO:<{envelope.recipient}>\r\nDATA\r\n".encode()
        )

    async def reply(self, *, within_s: float | None = None) -> Reply:
        """Return the next reply: code and text.

        Raises:
            Lost: there will be none, or not in time.
        """
        if not self._replies and self._broken is None:
            self._waiter = asyncio.get_running_loop().create_future()
            try:
                async with asyncio.timeout(within_s or self._within_s):
                    await self._waiter
            except TimeoutError:
                self._break("no reply in time")
            finally:
                self._waiter = None
        if not self._replies:
            raise Lost(self._broken or "closed")
        return self._replies.pop(0)

    async def quit(self) -> None:
        """Say goodbye and close."""
        try:
            self.write(b"QUIT\r\n")
            await self.reply(within_s=1.0)
        except Lost:
            pass
        self.close()

    def close(self) -> None:
        """Close at once."""
        self._broken = self._broken or "closed"
        if self._transport is not None:
            self._transport.abort()
            self._transport = None

    def data_received(self, data: bytes) -> None:
        """Take replies apart into lines; what is too long or no reply ends the connection."""
        self._buffer += data
        while (end := self._buffer.find(b"\n")) >= 0:
            line = bytes(self._buffer[:end]).rstrip(b"\r").decode("utf-8", "replace")
            del self._buffer[: end + 1]
            if not (line[:3].isascii() and line[:3].isdigit()) or line[3:4] not in ("", " ", "-"):
                self._break("unreadable reply")
                return
            self._lines.append(line[4:])
            if line[3:4] != "-":
                self._replies.append((int(line[:3]), " ".join(self._lines)[:500]))
                self._lines = []
        if len(self._buffer) + sum(map(len, self._lines)) > _MOST_REPLY_BYTES:
            self._break("endless reply")
        elif self._replies:
            self._wake()

    def eof_received(self) -> bool:
        """Treat a half-closed connection as closed."""
        self._break("closed by the server")
        return False

    def connection_lost(self, exc: Exception | None) -> None:
        """Let whoever waits know."""
        self._transport = None
        self._break(type(exc).__name__ if exc else "closed by the server")

    def _break(self, why: str) -> None:
        self._broken = self._broken or why
        if self._transport is not None:
            self._transport.abort()
            self._transport = None
        self._wake()

    def _wake(self) -> None:
        if self._waiter is not None and not self._waiter.done():
            self._waiter.set_result(None)


async def open_session(client: aiosmtplib.SMTP, *, within_s: float) -> Session:
    """Connect, greet, encrypt and log in with aiosmtplib, then take the socket over.

    Raises:
        ProviderError: the server cannot be reached, or refuses our account, or offers no TLS
            where it was asked for (clear text is never fallen back to).
    """
    try:
        await client.connect()
        await client.ehlo()
    except aiosmtplib.SMTPAuthenticationError as error:
        raise Misconfigured(str(error.code), "The mail server does not accept our login") from error
    except aiosmtplib.SMTPResponseException as error:
        raise reply_error(error.code, error.message, "connect") from error
    except (aiosmtplib.SMTPConnectError, aiosmtplib.SMTPServerDisconnected) as error:
        raise Unreachable("no-connection", type(error).__name__) from error
    except (aiosmtplib.SMTPTimeoutError, OSError) as error:
        raise Unreachable("no-connection", type(error).__name__) from error
    except aiosmtplib.SMTPException as error:
        # What is left is a missing extension: STARTTLS or a way to log in.
        raise Misconfigured("no-tls", "The mail server lacks what our settings ask for") from error
    transport = client.transport
    if transport is None:
        raise Unreachable("no-connection", "The connection closed after the greeting")
    session = Session(
        cast("asyncio.Transport", transport),
        pipelining=client.supports_extension("pipelining"),
        within_s=within_s,
    )
    transport.set_protocol(session)
    return session
