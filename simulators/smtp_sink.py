"""An SMTP server that keeps every mail it accepts in the ledger: PIPELINING, 8BITMIME, SIZE."""

import asyncio
import re
from collections.abc import Callable
from typing import cast
from uuid import UUID

from simulators import rules
from simulators.records import Item, Records, now
from simulators.rules import Rule, RuleBook

_MOST_BYTES = 10_485_760
_LONGEST_LINE = 2000
_PATH = re.compile(rb"(?i)(?:from|to):\s*<([^<>\s]*)>")
_HEADERS = re.compile(rb"(?im)^(message-id|x-ct-delivery):[ \t]*([^\r\n]+)")
_DELIVERY = re.compile(r"<?([0-9a-fA-F-]{36})>?(?:/(\d+))?")


class SmtpSink:
    """Listens on a port; every connection is a `Session`."""

    name = "smtp-sink"

    def __init__(self, records: Records, book: RuleBook, *, host: str, port: int) -> None:
        self.port = port
        self._records, self._book, self._host = records, book, host
        self._server: asyncio.Server | None = None
        self._sessions: set[Session] = set()

    async def start(self) -> None:
        """Open the port; port 0 becomes the one that was free."""
        loop = asyncio.get_running_loop()
        self._server = await loop.create_server(self._session, self._host, self.port)
        self.port = self._server.sockets[0].getsockname()[1]

    async def run(self, stop: asyncio.Event) -> None:
        """Serve until told to stop, then close every connection."""
        if self._server is None:
            await self.start()
        await stop.wait()
        if self._server is not None:
            self._server.close()
        for session in list(self._sessions):
            session.close()

    def _session(self) -> "Session":
        session = Session(self._records, self._book, self._sessions.discard)
        self._sessions.add(session)
        return session


class Session(asyncio.Protocol):
    """One connection: commands may come in one packet, replies go out in their order."""

    def __init__(
        self, records: Records, book: RuleBook, ended: Callable[["Session"], None]
    ) -> None:
        self._records, self._book, self._ended = records, book, ended
        self._transport: asyncio.Transport | None = None
        self._buffer = bytearray()
        self._held = False
        self._mail_from: str | None = None
        self._recipients: list[str] = []
        self._in_data = False

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Greet."""
        self._transport = cast("asyncio.Transport", transport)
        rule = self._book.find("email", "", stage="connect")
        self._answer(rule, "220 sink ESMTP")

    def data_received(self, data: bytes) -> None:
        """Take what came and answer every whole command."""
        self._buffer += data
        self._work()

    def connection_lost(self, exc: Exception | None) -> None:
        """Forget the connection; an unfinished mail was not accepted."""
        self._transport = None
        self._ended(self)

    def close(self) -> None:
        """Close the connection."""
        if self._transport is not None:
            self._transport.close()

    def _work(self) -> None:
        while not self._held and self._transport is not None:
            if self._in_data:
                if not self._finish_mail():
                    return
                continue
            end = self._buffer.find(b"\n")
            if end < 0:
                if len(self._buffer) > _LONGEST_LINE:
                    self._reply("500 5.5.2 line too long")
                    self.close()
                return
            line = bytes(self._buffer[:end]).rstrip(b"\r")
            del self._buffer[: end + 1]
            self._command(line)

    def _command(self, line: bytes) -> None:
        verb = line[:4].upper()
        if verb in (b"EHLO", b"HELO"):
            rule = self._book.find("email", "", stage="ehlo")
            names = ("PIPELINING", f"SIZE {_MOST_BYTES}", "8BITMIME", "ENHANCEDSTATUSCODES")
            listed = "".join(f"250-{name}\r\n" for name in names)
            self._answer(rule, "250 sink" if verb == b"HELO" else f"250-sink\r\n{listed}250 HELP")
        elif verb == b"MAIL":
            self._mail(line)
        elif verb == b"RCPT":
            self._recipient(line)
        elif verb == b"DATA":
            self._data()
        elif verb == b"RSET":
            self._reset()
            self._reply("250 2.0.0 reset")
        elif verb == b"NOOP":
            self._reply("250 2.0.0 ok")
        elif verb == b"QUIT":
            self._reply("221 2.0.0 bye")
            self.close()
        else:
            self._reply("502 5.5.1 command not implemented")

    def _mail(self, line: bytes) -> None:
        found = _PATH.search(line)
        if found is None:
            self._reply("501 5.5.4 syntax: MAIL FROM:<address>")
            return
        rule = self._book.find("email", "", stage="mail")
        if self._answer(rule, "250 2.1.0 ok"):
            self._reset()
            self._mail_from = found[1].decode("ascii", "replace")

    def _recipient(self, line: bytes) -> None:
        found = _PATH.search(line)
        if self._mail_from is None:
            self._reply("503 5.5.1 need MAIL first")
        elif found is None:
            self._reply("501 5.5.4 syntax: RCPT TO:<address>")
        else:
            address = found[1].decode("ascii", "replace")
            rule = self._book.find("email", address, stage="rcpt")
            refusal = rules.by_mailbox(address) if rule is None else None
            if refusal is not None:
                self._records.refuse("email", address, refusal[:9])
                self._reply(refusal)
            elif self._answer(rule, "250 2.1.5 ok", address):
                self._recipients.append(address)

    def _data(self) -> None:
        if not self._recipients:
            self._reply("503 5.5.1 need RCPT first")
            return
        rule = self._book.find("email", self._recipients[0], stage="data")
        if rule is not None and rule.smtp is not None and rule.smtp.drop is not None:
            self._abort()
            return
        self._in_data = self._answer(rule, "354 go on", self._recipients[0])

    def _finish_mail(self) -> bool:
        if self._buffer[:3] == b".\r\n":
            end, after = 0, 3
        elif (dot := self._buffer.find(b"\r\n.\r\n")) >= 0:
            end, after = dot + 2, dot + 5
        else:
            if len(self._buffer) > _MOST_BYTES:
                self._reply("552 5.3.4 message too big")
                self.close()
            return False
        rule = self._book.find("email", self._recipients[0], stage="dot")
        drop = rule.smtp.drop if rule and rule.smtp else None
        if drop == "before_dot":
            self._abort()
            return False
        raw = bytes(self._buffer[:end]).replace(b"\r\n..", b"\r\n.")
        del self._buffer[:after]
        self._in_data = False
        refused = bool(rule and rule.smtp and rule.smtp.reply and rule.smtp.reply[0] != "2")
        if not refused:
            self._accept(raw)
        address = self._recipients[0]
        self._reset()
        if drop == "after_dot":
            self._abort()
            return False
        self._answer(rule, "250 2.0.0 accepted", address)
        return True

    def _accept(self, raw: bytes) -> None:
        head = raw.partition(b"\r\n\r\n")[0]
        found = {k.lower(): v.strip().decode("ascii", "replace") for k, v in _HEADERS.findall(head)}
        delivery_id, epoch = _delivery(found.get(b"x-ct-delivery", ""))
        for address in self._recipients:
            self._records.accept(
                Item(
                    number=0,
                    kind="email",
                    sid=found.get(b"message-id", ""),
                    to=address,
                    from_=self._mail_from or "",
                    body=raw.decode("utf-8", "replace"),
                    status="accepted",
                    at=now(),
                    delivery_id=delivery_id,
                    epoch=epoch,
                )
            )

    def _answer(self, rule: Rule | None, usual: str, address: str = "") -> bool:
        """Send the rule's reply or the usual one; say whether the command was taken."""
        smtp = rule.smtp if rule else None
        text = smtp.reply if smtp and smtp.reply else usual
        if smtp and smtp.delay_s:
            self._held = True
            asyncio.get_running_loop().call_later(smtp.delay_s, self._release, text)
        else:
            self._reply(text)
        if text[0] in "45" and address:
            self._records.refuse("email", address, text[:9])
        if text.startswith("421"):
            self.close()
        return text[0] in "23"

    def _release(self, text: str) -> None:
        self._held = False
        self._reply(text)
        self._work()

    def _reply(self, text: str) -> None:
        if self._transport is not None:
            self._transport.write(text.encode() + b"\r\n")

    def _reset(self) -> None:
        self._mail_from, self._recipients = None, []

    def _abort(self) -> None:
        if self._transport is not None:
            self._transport.abort()


def _delivery(header: str) -> tuple[str | None, int | None]:
    found = _DELIVERY.search(header)
    if found is None:
        return None, None
    try:
        return str(UUID(found[1])), int(found[2]) if found[2] else None
    except ValueError:
        return None, None
