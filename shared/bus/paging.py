"""How the bus itself calls for a person: the service's own way, and always the log and a count."""

from collections.abc import Awaitable, Callable

from shared.watch.logs import get_logger
from shared.watch.metrics import pages

log = get_logger(__name__)


def pager(
    on_page: Callable[[str], Awaitable[None]] | None, *, service: str
) -> Callable[[str], Awaitable[None]]:
    """Make a page function that never raises: who cannot be called must not stop the work."""

    async def page(reason: str) -> None:
        log.critical("page", reason=reason)
        pages.labels(service, reason.partition(":")[0][:80]).inc()
        if on_page is not None:
            try:
                await on_page(reason)
            except Exception as error:
                log.critical("page.failed", error=type(error).__name__)

    return page
