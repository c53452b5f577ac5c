"""The outermost layer of an application: limits, security headers, trace, metrics, last resort."""

import asyncio
import time
from typing import Any

from starlette.datastructures import Headers, MutableHeaders
from starlette.requests import ClientDisconnect
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from shared.watch import traces
from shared.watch.logs import get_logger
from shared.watch.metrics import http_requests, http_seconds
from shared.web.errors import Problem, too_large
from shared.web.handlers import as_problem, problem_response

log = get_logger(__name__)

_LONGEST_URL = 8192
_LONGEST_HEADERS = 16_384
_BODY_TIMEOUT_S = 30.0
_HEADERS = {
    "Strict-Transport-Security": "max-age=63072000; includeSubDomains",
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    "Referrer-Policy": "no-referrer",
    "Cross-Origin-Resource-Policy": "same-origin",
}


class Edge:
    """Wraps an application; whatever happens inside, a request gets a well-formed answer."""

    def __init__(self, app: ASGIApp, *, service: str) -> None:
        self._app = app
        self._service = service

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        headers = Headers(scope=scope)
        traceparent = traces.follow(headers.get("traceparent"))
        answer = _Answer(scope, receive, send, traces.trace_id(traceparent))
        began = time.perf_counter()
        try:
            _check(scope, headers)
            await self._app(scope, _timed(receive), answer.send)
        except ClientDisconnect:
            # The caller's doing, and nobody is left to answer: counted as 499, no fault of ours.
            log.info("request.broken_off", route=_route(scope))
        except Exception as error:
            problem = as_problem(error)
            if problem.status == 500:
                log.error("request.failed", route=_route(scope), exc_info=error)
            elif problem.status == 503:
                log.warning("request.unavailable", route=_route(scope), error=type(error).__name__)
            if answer.status:
                raise  # half an answer is out: only closing the connection tells the truth
            await answer.refuse(problem)
        finally:
            labels = (self._service, scope["method"][:10], _route(scope))
            http_requests.labels(*labels, str(answer.status or 499)).inc()
            http_seconds.labels(*labels).observe(time.perf_counter() - began)


class _Answer:
    """Adds our headers to whatever answer goes out, and keeps its status."""

    def __init__(self, scope: Scope, receive: Receive, send: Send, trace_id: str) -> None:
        self._asgi = (scope, receive)
        self._send = send
        self._trace_id = trace_id
        self._replaced = False
        self.status = 0

    async def send(self, message: Message) -> None:
        """Send one message on."""
        if message["type"] == "http.response.start":
            headers = MutableHeaders(raw=list(message.get("headers", ())))
            if message["status"] == 413 and headers.get("content-type", "").startswith("text/"):
                # The framework's body limit answers in plain text, whatever handlers there are.
                self._replaced = True
                await self.refuse(too_large())
                return
            self.status = message["status"]
            for name, value in _HEADERS.items():
                headers.setdefault(name, value)
            headers.setdefault("Cache-Control", "no-store")
            headers.setdefault("X-Trace-Id", self._trace_id)
            message = {**message, "headers": headers.raw}
        elif self._replaced:
            return
        await self._send(message)

    async def refuse(self, problem: Problem) -> None:
        """Answer with a problem."""
        scope, receive = self._asgi
        response = problem_response(scope["path"], problem)

        async def send(message: Message) -> None:
            if message["type"] == "http.response.start":
                await self.send(message)
            else:
                await self._send(message)

        await response(scope, receive, send)


def _check(scope: Scope, headers: Headers) -> None:
    if len(scope.get("raw_path") or b"") + len(scope["query_string"]) > _LONGEST_URL:
        raise Problem(414, "uri-too-long", "The address is longer than 8 kB.")
    if b"%00" in scope["query_string"]:
        raise Problem(422, "control-char", "The address holds a control character.")
    if sum(len(name) + len(value) for name, value in headers.raw) > _LONGEST_HEADERS:
        raise Problem(431, "headers-too-large", "The headers are larger than 16 kB.")
    if headers.get("content-encoding", "identity").strip().lower() not in {"", "identity"}:
        only_plain = {"Accept-Encoding": "identity"}
        raise Problem(415, "content-encoding", "Send the body uncompressed.", headers=only_plain)


def _timed(receive: Receive) -> Receive:
    deadline: float | None = None
    complete = False

    async def timed() -> Message:
        nonlocal deadline, complete
        if complete:
            return await receive()  # only a disconnect is still to come
        loop = asyncio.get_running_loop()
        deadline = deadline or loop.time() + _BODY_TIMEOUT_S
        try:
            async with asyncio.timeout_at(deadline):
                message = await receive()
        except TimeoutError:
            raise Problem(
                408,
                "body-too-slow",
                "The body did not come in time.",
                headers={"Connection": "close"},
            ) from None
        complete = not message.get("more_body", False)
        return message

    return timed


def _route(scope: Scope) -> str:
    route: Any = scope.get("route")
    return str(getattr(route, "path", None) or "unmatched")
