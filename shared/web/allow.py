"""Says which methods a path knows, over all routes that match it (RFC 9110 §10.2.1)."""

from fastapi import Request
from fastapi.routing import iter_route_contexts
from starlette.routing import Match


def allowed_methods(request: Request) -> list[str]:
    """Return every method that some route of the application takes at this path."""
    methods: set[str] = set()
    for route in iter_route_contexts(request.app.routes):
        # A context stands for its route; the framework types only some of what it passes on.
        match, _ = route.matches(request.scope)
        if match is not Match.NONE:
            methods |= set(route.methods or ())
    return sorted(methods)
