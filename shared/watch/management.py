"""The management port of a process: /livez, /readyz and /metrics, apart from its API (S46)."""

from collections.abc import Sequence

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from shared.watch.health import Health
from shared.watch.metrics import render


def management_app(healths: Sequence[Health]) -> Starlette:
    """Make the application that shows how the roles of this process are."""

    async def livez(_: Request) -> Response:
        return _answer([name for health in healths for name in await health.live()])

    async def readyz(_: Request) -> Response:
        return _answer([name for health in healths for name in await health.ready()])

    async def metrics(_: Request) -> Response:
        body, media_type = render()
        return Response(body, headers={"Content-Type": media_type})

    return Starlette(
        routes=[Route("/livez", livez), Route("/readyz", readyz), Route("/metrics", metrics)]
    )


def _answer(failing: list[str]) -> Response:
    # Names of checks only: no versions, addresses or errors.
    body = {"status": "failing" if failing else "ok", "failing": sorted(set(failing))}
    return JSONResponse(body, status_code=503 if failing else 200)
