"""What this process logs while a test looks."""

import io
import logging
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import structlog

from shared.watch import logs


@contextmanager
def logged(**settings: Any) -> Iterator[io.StringIO]:
    """Log as a service with these settings would, for the length of a `with`, into the stream."""
    root = logging.getLogger()
    handlers, level, config = list(root.handlers), root.level, structlog.get_config()
    stream = io.StringIO()
    logs.configure(stream=stream, **settings)
    try:
        yield stream
    finally:
        root.handlers, root.level = handlers, level
        structlog.configure(**config)
        structlog.contextvars.clear_contextvars()
