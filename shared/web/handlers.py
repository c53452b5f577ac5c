"""Turns every error of an application into problem+json, and says what the unexpected is."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from http import HTTPStatus
from typing import Any
from urllib.parse import quote

import orjson
from fastapi import FastAPI, Request, Response
from fastapi.exceptions import RequestValidationError
from starlette.exceptions import HTTPException

from shared.db.transient import is_transient
from shared.watch import traces
from shared.web.allow import allowed_methods
from shared.web.errors import (
    Fault,
    Problem,
    bad_request,
    conflict,
    forbidden,
    gone,
    not_found,
    precondition_failed,
    precondition_required,
    to_pointer,
    too_large,
    too_many,
    unauthorized,
    unavailable,
    unprocessable,
    unsupported_media,
)

_SENTENCES = {
    400: ("bad-request", "The request cannot be read."),
    404: ("not-found", "There is no such thing here."),
    405: ("method-not-allowed", "This method is not allowed here."),
    413: ("too-large", "The body is larger than allowed."),
}
_MOST_ERRORS = 20
_NOT_ALLOWED = "The request reads well, but not everything in it is allowed."


def install(app: FastAPI) -> None:
    """Make the application answer its refusals as problem+json; Edge answers the unexpected."""
    app.add_exception_handler(Problem, _on_problem)
    app.add_exception_handler(RequestValidationError, _on_invalid)
    app.add_exception_handler(HTTPException, _on_http)


def problem_response(path: str, problem: Problem) -> Response:
    """Write a problem as an HTTP answer (RFC 9457); `path` is the request's."""
    traceparent = traces.current() or traces.follow()
    return Response(
        orjson.dumps(_body(path, problem, trace_id=traces.trace_id(traceparent))),
        status_code=problem.status,
        headers={"Cache-Control": "no-store", **problem.headers},
        media_type="application/problem+json",
    )


def as_problem(error: BaseException) -> Problem:
    """Say what the caller may know about an error that no verb foresaw."""
    if isinstance(error, Problem):
        return error
    if is_transient(error):
        return unavailable("database-unavailable", "The service cannot store anything right now.")
    return Problem(500, "internal", "Something went wrong on our side.")


def _body(path: str, problem: Problem, *, trace_id: str) -> dict[str, Any]:
    body: dict[str, Any] = {
        "type": f"urn:ct-alert:problem:{problem.slug}",
        "title": problem.title,
        "status": problem.status,
        "detail": problem.detail,
        "instance": quote(path[:200], safe="/:@!$&'()*+,;=-._~"),
        "trace_id": trace_id,
    }
    if problem.errors:
        body["errors"] = [_written(fault) for fault in problem.errors]
    return body


def _written(fault: Fault) -> dict[str, str]:
    written = {"pointer": fault.pointer, "code": fault.code}
    return {**written, "detail": fault.detail} if fault.detail else written


async def _on_problem(request: Request, error: Exception) -> Response:
    return problem_response(_path(request), as_problem(error))


async def _on_http(request: Request, error: Exception) -> Response:
    if not isinstance(error, HTTPException):
        raise error
    status = error.status_code
    slug, detail = _SENTENCES.get(status, ("refused", "The request was refused."))
    headers = dict(error.headers or {})
    if status == 405:
        headers["Allow"] = ", ".join(allowed_methods(request))
    return problem_response(_path(request), Problem(status, slug, detail, headers=headers))


async def _on_invalid(request: Request, error: Exception) -> Response:
    if not isinstance(error, RequestValidationError):
        raise error
    found = error.errors()
    if any(one["loc"][:1] == ("path",) for one in found):
        return problem_response(_path(request), not_found())
    faults = faults_of(found, error.body)[:_MOST_ERRORS]
    return problem_response(_path(request), Problem(422, "invalid", _NOT_ALLOWED, errors=faults))


def faults_of(found: Sequence[Mapping[str, Any]], body: object) -> list[Fault]:
    """Name the findings of pydantic in a body without their input, each place once a code."""
    # A list is also called short when enough was sent and some of it was refused.
    true = [one for one in found if not _was_long_enough(one)]
    return list(dict.fromkeys(_fault_of(one, body) for one in true or found))


def _fault_of(error: Mapping[str, Any], body: object) -> Fault:
    where, *rest = error["loc"] or ("body",)
    kind, given = str(error["type"]), error.get("input")
    if where == "body":
        pointer = to_pointer(_steps(rest, body, missing=kind == "missing"))
    else:
        pointer = f"{where}:{'.'.join(map(str, rest))}"
    if kind in {"float_type", "float_parsing", "finite_number"} and _not_finite(given):
        return Fault(pointer, "not-finite")
    code = {"extra_forbidden": "unknown-field", "missing": "required"}.get(kind)
    return Fault(pointer, code or kind.replace("_", "-"))


def _steps(loc: Sequence[object], body: object, *, missing: bool) -> Iterator[object]:
    """Walk the body along a location; yield what is there, and last the member that is missing."""
    here: Any = body
    for place, step in enumerate(loc, 1):
        # What is not there is a name of pydantic's own: the branch of a union, a key's mark.
        if isinstance(here, Mapping) and step in here:
            yield step
            here = here[step]
        elif isinstance(here, list) and isinstance(step, int) and step < len(here):
            yield step
            here = here[step]
        elif missing and place == len(loc):
            yield step


def _was_long_enough(error: Mapping[str, Any]) -> bool:
    given = error.get("input")
    if error["type"] != "too_short" or not isinstance(given, list):
        return False
    return len(given) >= int(error["ctx"]["min_length"])


def _not_finite(given: object) -> bool:
    return isinstance(given, float) or (
        isinstance(given, str) and given.strip("+-").lower() in {"nan", "inf", "infinity"}
    )


def _path(request: Request) -> str:
    return str(request.scope.get("path", ""))


_PROBLEM: dict[str, Any] = {
    "schema": {
        "type": "object",
        "required": ["type", "title", "status", "detail", "instance", "trace_id"],
        "properties": {
            "type": {"type": "string", "format": "uri"},
            "title": {"type": "string"},
            "status": {"type": "integer"},
            "detail": {"type": "string"},
            "instance": {"type": "string"},
            "trace_id": {"type": "string"},
            "errors": {
                "type": "array",
                "items": {
                    "type": "object",
                    "required": ["pointer", "code"],
                    "properties": {
                        "pointer": {"type": "string"},
                        "code": {"type": "string"},
                        "detail": {"type": "string"},
                    },
                },
            },
        },
    },
}
_EXAMPLES = {
    one.status: _body("/v1/subscribers", one, trace_id="4bf92f3577b34da6a3ce929d0e0e4736")
    for one in (
        bad_request("malformed-json", "The body is not JSON: line 1, column 15."),
        unauthorized(),
        forbidden(),
        not_found(),
        conflict("in-progress", "The first request with this Idempotency-Key is still running."),
        gone("code-gone", "This code was used or has expired: ask for a new one."),
        precondition_failed(),
        too_large(),
        unsupported_media("application/json"),
        unprocessable("invalid", _NOT_ALLOWED, pointer="/language", code="required"),
        precondition_required("if-match-required", "Send the ETag of your profile."),
        too_many(60),
        unavailable("database-unavailable", "The service cannot store anything right now."),
    )
}

# What each operation's OpenAPI page says of refusals; it also keeps the framework's own 422 out.
REFUSALS: dict[int | str, dict[str, Any]] = {
    "default": {
        "description": "A refusal (RFC 9457)",
        "content": {"application/problem+json": {**_PROBLEM, "example": _EXAMPLES[422]}},
    }
}


def problem_examples(statuses: Iterable[int]) -> dict[int | str, dict[str, Any]]:
    """Name the refusals of one operation for its OpenAPI page."""
    return {
        status: {
            "description": HTTPStatus(status).phrase,
            "content": {"application/problem+json": {**_PROBLEM, "example": _EXAMPLES[status]}},
        }
        for status in statuses
    }
