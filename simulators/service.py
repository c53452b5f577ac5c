"""Assembles the simulators: one process, HTTP for texts and calls, SMTP for mail, one ledger."""

import base64
import hmac
import re
from contextlib import AsyncExitStack

from shared.service import Role
from shared.watch.health import Health
from simulators.admin import Admin
from simulators.callbacks import Callbacks
from simulators.http import Call, Receive, Reply, Scope, Send, Unreadable, json_reply, read_body
from simulators.ledger import Ledger
from simulators.records import Records
from simulators.rules import Kind, RuleBook
from simulators.settings import SimulatorSettings
from simulators.smtp_sink import SmtpSink
from simulators.twilio import Twilio, error

ROLES: tuple[str, ...] = ("all",)
_PATH = re.compile(
    r"/2010-04-01/Accounts/(?P<account>\w+)/(?P<kind>Messages|Calls)(?:/(?P<sid>\w+))?\.json"
)
_KINDS: dict[str, Kind] = {"Messages": "sms", "Calls": "voice"}


class Simulators:
    """All the simulators of one process around one ledger; an ASGI application."""

    def __init__(self, settings: SimulatorSettings) -> None:
        self.ledger = Ledger(settings.folder / "ledger.jsonl")
        self.records = Records(self.ledger)
        self.book = RuleBook()
        self.callbacks = Callbacks(
            self.records,
            account_sid=settings.account_sid,
            auth_token=settings.auth_token,
            delay_ms=settings.receipt_delay_ms,
        )
        self.sink = SmtpSink(self.records, self.book, host=settings.host, port=settings.smtp_port)
        self._account = settings.account_sid
        credentials = f"{settings.account_sid}:{settings.auth_token}".encode()
        self._authorization = b"Basic " + base64.b64encode(credentials)
        self._twilio = Twilio(self.records, self.callbacks, self.book, settings.account_sid)
        self._admin = Admin(
            self.records, self.callbacks, self.book, account_sid=settings.account_sid,
            public_url=settings.public_url, open_requests=self._open_requests,
        )  # fmt: skip
        self._open = self._most_open = self._requests = 0

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one HTTP request."""
        if scope["type"] != "http":
            return
        self._requests += 1
        self._open += 1
        self._most_open = max(self._most_open, self._open)
        try:
            reply = await self._answer(scope, receive, send)
            if reply is not None:
                await reply.send(send)
        finally:
            self._open -= 1

    async def _answer(self, scope: Scope, receive: Receive, send: Send) -> Reply | None:
        body = await read_body(receive)
        if body is None:
            return json_reply(413, {"message": "too large"})
        call = Call(scope, receive, send, body)
        path: str = scope["path"]
        if path.startswith("/simulator/"):
            try:
                return await self._admin.answer(call, send)
            except Unreadable as fault:
                return json_reply(422, {"message": str(fault)})
        try:
            return await self._provider(call, path)
        except Unreadable:
            return error(400, 20001)

    async def _provider(self, call: Call, path: str) -> Reply | None:
        found = _PATH.fullmatch(path)
        if found is None:
            return error(404, 20404)
        right = hmac.compare_digest(call.header(b"authorization"), self._authorization)
        if not right or found["account"] != self._account:
            return error(401, 20003)
        kind = _KINDS[found["kind"]]
        if call.scope["method"] == "POST" and not found["sid"]:
            return await self._twilio.create(kind, call)
        if call.scope["method"] != "GET":
            return error(405, 20004)
        if found["sid"]:
            return self._twilio.fetch(kind, found["sid"])
        return self._twilio.listing(kind, call.query())

    def _open_requests(self) -> dict[str, int]:
        return {"open": self._open - 1, "most_open": self._most_open, "total": self._requests}


async def assemble(role: str, settings: SimulatorSettings | None = None) -> Role:
    """Assemble the simulators' one role; the state is rebuilt from the ledger.

    Raises:
        ValueError: there is no such role.
    """
    if role not in ROLES:
        raise ValueError(f"simulators have no role {role!r}")
    settings = settings or SimulatorSettings()
    simulators = Simulators(settings)
    closing = AsyncExitStack()
    closing.callback(simulators.ledger.close)
    await simulators.sink.start()
    return Role(
        service="simulators",
        name=role,
        parts=[simulators.ledger, simulators.callbacks, simulators.sink],
        app=simulators,
        port=settings.port,
        health=Health(),
        closing=closing,
    )
