"""The family of refusals (RFC 9457): a status, a short name, a sentence; input is never echoed.

Problem
├── bad_request 400 · unauthorized 401 · forbidden 403 · not_found 404 · conflict 409 · gone 410
├── precondition_failed 412 · too_large 413 · unsupported_media 415 · unprocessable 422
└── precondition_required 428 · too_many 429 · unavailable 503
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from http import HTTPStatus
from itertools import takewhile

# A longer name would hand the sender's own words back.
_LONGEST_NAME = 60


@dataclass(frozen=True, slots=True)
class Fault:
    """One thing wrong with the input: where (a JSON pointer) and what (a short code)."""

    pointer: str
    code: str
    detail: str | None = None


class Problem(Exception):
    """A refusal that the caller is told about."""

    def __init__(
        self,
        status: int,
        slug: str,
        detail: str,
        *,
        title: str | None = None,
        errors: Sequence[Fault] = (),
        headers: Mapping[str, str] | None = None,
    ) -> None:
        super().__init__(f"{status} {slug}")
        self.status = status
        self.slug = slug
        self.title = title or HTTPStatus(status).phrase
        self.detail = detail
        self.errors = tuple(errors)
        self.headers = dict(headers or {})


def bad_request(slug: str, detail: str) -> Problem:
    """Refuse a request that cannot be read."""
    return Problem(400, slug, detail)


def unauthorized(detail: str = "Say who you are.") -> Problem:
    """Refuse somebody who has not proved who they are."""
    return Problem(401, "unauthorized", detail, headers={"WWW-Authenticate": "Bearer"})


def forbidden(slug: str = "forbidden", detail: str = "You may not do this.") -> Problem:
    """Refuse somebody known who may not do this."""
    return Problem(403, slug, detail)


def not_found(detail: str = "There is no such thing here.") -> Problem:
    """Refuse to say anything of what is not there, or not this caller's to see."""
    return Problem(404, "not-found", detail)


def conflict(slug: str, detail: str) -> Problem:
    """Refuse what the present state does not allow."""
    return Problem(409, slug, detail)


def gone(slug: str, detail: str) -> Problem:
    """Refuse what was there and is used up or expired."""
    return Problem(410, slug, detail)


def precondition_failed(detail: str = "It has changed since you read it.") -> Problem:
    """Refuse a change to a version that is no longer the newest."""
    return Problem(412, "precondition-failed", detail)


def too_large(detail: str = "The body is larger than allowed.", slug: str = "too-large") -> Problem:
    """Refuse a body or shape beyond its limit."""
    return Problem(413, slug, detail)


def unsupported_media(accepted: str, detail: str | None = None) -> Problem:
    """Refuse a body of another media type than the accepted one."""
    return Problem(
        415,
        "unsupported-media-type",
        detail or f"Send the body as {accepted}.",
        headers={"Accept": accepted},
    )


def unprocessable(
    slug: str,
    detail: str,
    *,
    pointer: str = "",
    code: str | None = None,
    errors: Sequence[Fault] = (),
) -> Problem:
    """Refuse a request that reads well and means nothing; `pointer` says where."""
    return Problem(422, slug, detail, errors=errors or (Fault(pointer, code or slug),))


def precondition_required(slug: str, detail: str) -> Problem:
    """Refuse a request that lacks a header it must carry."""
    return Problem(428, slug, detail)


def too_many(retry_after_s: float, detail: str = "Too many requests; wait a little.") -> Problem:
    """Refuse a caller who comes too often."""
    return Problem(429, "too-many-requests", detail, headers=_retry_after(retry_after_s))


def unavailable(slug: str, detail: str, retry_after_s: float = 5) -> Problem:
    """Refuse for now: something we stand on is away."""
    return Problem(503, slug, detail, headers=_retry_after(retry_after_s))


def _retry_after(seconds: float) -> dict[str, str]:
    return {"Retry-After": str(max(1, -int(-seconds // 1)))}


def to_pointer(steps: Iterable[object]) -> str:
    """Write the steps to a value as a JSON pointer (RFC 6901); it ends above a very long name."""
    names = takewhile(lambda name: len(name) <= _LONGEST_NAME, map(str, steps))
    return "".join("/" + name.replace("~", "~0").replace("/", "~1") for name in names)
