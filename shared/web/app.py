"""Makes the HTTP application of a service: strict in, problem+json out, docs for developers."""

from collections.abc import Sequence
from typing import Any

from fastapi import APIRouter, FastAPI
from fastapi.routing import APIRoute, iter_route_contexts

from shared.web import handlers
from shared.web.auth import Authenticator, Scheme, access
from shared.web.edge import Edge
from shared.web.models import NULL, StrictModel, swap
from shared.web.routes import make_strict

__all__ = ["StrictModel", "make_app"]

DEFAULT_MAX_BODY = 1_000_000


def make_app(
    *,
    title: str,
    service: str,
    routers: Sequence[APIRouter],
    authenticators: Sequence[Authenticator],
    max_body: int = DEFAULT_MAX_BODY,
    docs: bool = False,
) -> FastAPI:
    """Make an application of routers; `max_body` in bytes, a route may set its own `max_body_size`.

    `docs` serves /docs and /openapi.json, which a public address must not (S46).

    Raises:
        ValueError: a route neither names its roles nor says that it is public (S13).
    """
    app = FastAPI(
        title=title,
        version="1",
        redirect_slashes=False,
        docs_url="/docs" if docs else None,
        redoc_url=None,
        openapi_url="/openapi.json" if docs else None,
        responses=handlers.REFUSALS,
    )
    app.state.authenticators = tuple(authenticators)
    # The limit lies on a router, not on the application, so that its 413 comes out through Edge.
    limited = APIRouter(max_body_size=max_body)
    for router in routers:
        make_strict(router)
        limited.include_router(router)
    app.include_router(limited)
    _refuse_unguarded(app)
    handlers.install(app)
    _describe_access(app, authenticators)
    app.add_middleware(Edge, service=service)
    return app


def _refuse_unguarded(app: FastAPI) -> None:
    for route in iter_route_contexts(app.routes):
        if isinstance(route.original_route, APIRoute) and access(route.dependant) is None:
            raise ValueError(f"{route.path} neither names its roles nor is marked public")


def _describe_access(app: FastAPI, authenticators: Sequence[Authenticator]) -> None:
    """Have the OpenAPI document name the credentials, and each operation those that open it."""
    schemes = [one.scheme for one in authenticators]
    plain = app.openapi

    def document() -> dict[str, Any]:
        if app.openapi_schema is None:
            made = app.openapi_schema = swap(plain(), NULL, None)
            made.setdefault("components", {})["securitySchemes"] = {
                one.name: dict(one.definition) for one in schemes
            }
            for route in iter_route_contexts(app.routes):
                if not isinstance(route.original_route, APIRoute):
                    _describe_bare(route, made["paths"])
                    continue
                roles = access(route.dependant) or frozenset()
                opening = [{one.name: sorted(roles)} for one in _opening(schemes, roles)]
                operations = made["paths"].get(route.path, {})
                for method in {one.lower() for one in route.methods or ()} & operations.keys():
                    operations[method]["security"] = opening
        return plain()

    app.openapi = document  # type: ignore[method-assign]


def _describe_bare(route: Any, paths: dict[str, Any]) -> None:
    """Add what a route that is not FastAPI's says of itself, as its endpoint's `operation`."""
    said = getattr(getattr(route.original_route, "endpoint", None), "operation", None)
    if said is not None:
        answers = {**said["responses"], **handlers.REFUSALS}
        operation = {**said, "responses": answers, "security": []}
        paths.setdefault(route.path, {}).update({one.lower(): operation for one in route.methods})


def _opening(schemes: Sequence[Scheme], roles: frozenset[str]) -> list[Scheme]:
    taken = frozenset[str]().union(*(one.roles or () for one in schemes))
    return [one for one in schemes if (roles - taken if one.roles is None else roles & one.roles)]
