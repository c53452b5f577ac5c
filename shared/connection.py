"""An HTTP connection that neither waits for a dawdling client nor hoards what it sends."""

import asyncio

from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

# From the first byte (or the connection, before its first request) to the end of the headers.
HEAD_S = 15.0
# The application refuses more than 16 kB of headers, but only once it has got them all.
LONGEST_HEAD = 65_536


class Connection(HttpToolsProtocol):
    """Closes a connection whose request line and headers come too slowly or without end."""

    _patience: asyncio.TimerHandle | None = None
    _head_bytes = 0

    def connection_made(  # type: ignore[override]  # as its parent narrows it
        self, transport: asyncio.Transport
    ) -> None:
        """Begin to wait for the first request."""
        super().connection_made(transport)
        self._await_head()

    def connection_lost(self, exc: Exception | None) -> None:
        """Wait no more."""
        self._calm()
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        """Take bytes; those of a request's head are counted."""
        if self._patience is None and (self.cycle is None or self.cycle.response_complete):
            self._await_head()
        self._head_bytes += len(data)
        super().data_received(data)
        if self._patience is not None and self._head_bytes > LONGEST_HEAD:
            self.transport.close()

    def on_headers_complete(self) -> None:
        """Stop the clock: from here on the application minds the time."""
        self._calm()
        super().on_headers_complete()

    def _await_head(self) -> None:
        self._head_bytes = 0
        self._patience = self.loop.call_later(HEAD_S, self.transport.close)

    def _calm(self) -> None:
        if self._patience is not None:
            self._patience.cancel()
            self._patience = None
