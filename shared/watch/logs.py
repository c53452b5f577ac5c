"""Structured logs: one JSON object a line, with every phone, e-mail and secret masked."""

import logging
import sys
from typing import Any, Literal, TextIO

import structlog
from structlog.typing import EventDict, FilteringBoundLogger, Processor

from shared.security.masking import mask_text
from shared.watch import traces

# What these keys hold is never for a log, however harmless it looks.
_HIDDEN = frozenset(
    {"address", "authorization", "api_key", "body", "cap", "code", "otp", "password"}
    | {"secret", "text", "texts", "token"}
)
_DEEPEST = 6


def configure(
    *,
    level: Literal["debug", "info", "warning", "error"] = "info",
    format: Literal["json", "text"] = "json",
    service: str = "",
    role: str = "",
    stream: TextIO | None = None,
) -> None:
    """Set up logging of this process, for our loggers and for every library's."""
    structlog.contextvars.clear_contextvars()
    known = {"service": service, "role": role}
    structlog.contextvars.bind_contextvars(**{k: v for k, v in known.items() if v})
    first: list[Processor] = [
        structlog.contextvars.merge_contextvars,
        structlog.stdlib.add_log_level,
        structlog.stdlib.add_logger_name,
        structlog.stdlib.PositionalArgumentsFormatter(),
        _add_trace,
        structlog.processors.format_exc_info,
        mask_event,
        structlog.processors.TimeStamper(fmt="iso", utc=True, key="at"),
    ]
    last: Processor = (
        structlog.processors.JSONRenderer()
        if format == "json"
        else structlog.dev.ConsoleRenderer(
            colors=False, exception_formatter=structlog.dev.plain_traceback
        )
    )
    structlog.configure(
        processors=[*first, structlog.stdlib.ProcessorFormatter.wrap_for_formatter],
        wrapper_class=structlog.make_filtering_bound_logger(level),
        logger_factory=structlog.stdlib.LoggerFactory(),
        cache_logger_on_first_use=False,
    )
    handler = logging.StreamHandler(stream or sys.stdout)
    handler.setFormatter(
        structlog.stdlib.ProcessorFormatter(
            foreign_pre_chain=first,
            processors=[structlog.stdlib.ProcessorFormatter.remove_processors_meta, last],
        )
    )
    root = logging.getLogger()
    root.handlers = [handler]
    root.setLevel(level.upper())
    for name in ("uvicorn", "uvicorn.error", "uvicorn.access"):
        logging.getLogger(name).handlers = []
        logging.getLogger(name).propagate = True
    logging.getLogger("aiokafka").setLevel(max(logging.getLogger().level, logging.WARNING))


def get_logger(name: str) -> FilteringBoundLogger:
    """Return the logger of a module: `log.info("alert.approved", alert_id=…)`."""
    logger: FilteringBoundLogger = structlog.get_logger(name)
    return logger


def mask_event(_: Any, __: str, event: EventDict) -> EventDict:
    """Mask every value of a log line: phones and e-mails inside texts, secrets by their key."""
    return {
        key: "***" if key.lower() in _HIDDEN else _mask(value, 0) for key, value in event.items()
    }


def _mask(value: Any, depth: int) -> Any:
    if isinstance(value, str):
        return mask_text(value)
    if isinstance(value, bool | int | float | None):
        return value
    if depth >= _DEEPEST:
        return "…"
    if isinstance(value, dict):
        return {
            str(key): "***" if str(key).lower() in _HIDDEN else _mask(one, depth + 1)
            for key, one in value.items()
        }
    if isinstance(value, list | tuple | set | frozenset):
        return [_mask(one, depth + 1) for one in value]
    if isinstance(value, logging.LogRecord):
        return value
    return mask_text(str(value))


def _add_trace(_: Any, __: str, event: EventDict) -> EventDict:
    traceparent = traces.current()
    if traceparent:
        event.setdefault("trace_id", traces.trace_id(traceparent))
    return event
