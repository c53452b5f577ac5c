"""W3C trace context: one `traceparent` follows a request through events to the delivery."""

import re
import secrets
from contextvars import ContextVar

_FORM = re.compile(r"00-(?!0{32})[0-9a-f]{32}-(?!0{16})[0-9a-f]{16}-[0-9a-f]{2}")
_current: ContextVar[str | None] = ContextVar("traceparent", default=None)


def new_traceparent(parent: str | None = None) -> str:
    """Make a traceparent: of the parent's trace when that is well formed, else of a new one."""
    trace = parent[3:35] if parent and _FORM.fullmatch(parent) else secrets.token_hex(16)
    return f"00-{trace}-{secrets.token_hex(8)}-01"


def current() -> str | None:
    """Return the traceparent of what is being done now, if it has one."""
    return _current.get()


def follow(parent: str | None = None) -> str:
    """Begin a step of the parent's trace (or a new trace) for the running task; return it."""
    traceparent = new_traceparent(parent)
    _current.set(traceparent)
    return traceparent


def trace_id(traceparent: str) -> str:
    """Return the trace id of a traceparent."""
    return traceparent[3:35]
