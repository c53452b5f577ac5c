"""The route of every JSON endpoint: guards first, then the headers, then a strictly read body."""

from collections.abc import Callable, Coroutine
from typing import Any

from fastapi import Request, Response
from fastapi.dependencies.models import Dependant
from fastapi.params import Form
from fastapi.routing import APIRoute, APIRouter

from shared.web.auth import Guard
from shared.web.bodies import json_body
from shared.web.errors import Problem

Handler = Callable[[Request], Coroutine[Any, Any, Response]]
_UNREAD = object()


class _StrictRequest(Request):
    """A request whose JSON has been read once, strictly."""

    strict_json: Any = _UNREAD

    async def json(self) -> Any:
        return self.strict_json


class StrictRoute(APIRoute):
    """Refuses in order: who (401, 403), the answer asked for (406), the body (415, 400, 422)."""

    def get_route_handler(self) -> Handler:
        """Return the handler FastAPI makes, behind our checks."""
        handle = super().get_route_handler()
        guards = list(_guards(self.dependant))
        field = self.body_field
        reads_json = field is not None and not isinstance(field.field_info, Form)
        produces = self._produces()

        async def strict(request: Request) -> Response:
            for guard in guards:
                await guard(request)
            if not _accepts(request.headers.get("accept"), produces):
                raise Problem(
                    406, "not-acceptable", f"This is answered as {', '.join(sorted(produces))}."
                )
            if reads_json:
                read = _StrictRequest(request.scope, request.receive)
                read.strict_json = await json_body(read)
                return await handle(read)
            return await handle(request)

        return strict

    def _produces(self) -> set[str]:
        declared = {
            media for answer in self.responses.values() for media in answer.get("content", {})
        }
        default = getattr(
            getattr(self.response_class, "value", self.response_class), "media_type", None
        )
        return {default or "application/json", "application/problem+json"} | declared


def make_strict(router: APIRouter) -> None:
    """Turn every plain route of a router into a strict one, so that no room can forget it."""
    for route in router.routes:
        inner = getattr(route, "original_router", None)
        if isinstance(inner, APIRouter):
            make_strict(inner)
        elif type(route) is APIRoute:
            # Handlers are built when the router is included, from the class found then.
            route.__class__ = StrictRoute


def _guards(dependant: Dependant) -> list[Guard]:
    found = [dependant.call] if isinstance(dependant.call, Guard) else []
    return found + [guard for child in dependant.dependencies for guard in _guards(child)]


def _accepts(header: str | None, produces: set[str]) -> bool:
    if not header:
        return True
    for item in header.lower().split(","):
        kind, *parameters = (part.strip() for part in item.split(";"))
        if any(p.replace(" ", "") in {"q=0", "q=0.0", "q=0.00", "q=0.000"} for p in parameters):
            continue
        family = kind.partition("/")[0]
        if (
            kind == "*/*"
            or kind in produces
            or (kind.endswith("/*") and any(p.startswith(family + "/") for p in produces))
        ):
            return True
    return False
