"""Reads the bodies of requests as strict JSON."""

from typing import Any

from starlette.requests import Request

from shared.web.errors import Problem, bad_request, unsupported_media
from shared.web.strict import NotStrict, read_strict


async def json_body(request: Request) -> Any:
    """Read the body of a request as strict JSON.

    Raises:
        Problem: 415 for another media type, 400 for what cannot be read, 422 for what may not be.
    """
    if not _is_json(request.headers.get("content-type", "")):
        raise unsupported_media("application/json")
    return read_json(await request.body())


def read_json(raw: bytes) -> Any:
    """Read strict JSON: one meaning, finite numbers, 64-bit integers, plain text.

    Raises:
        Problem: 400 empty-body, bad-encoding, malformed-json, duplicate-key or too-deep; 422 with
            the places of numbers and texts that are not allowed.
    """
    try:
        return read_strict(raw)
    except NotStrict as error:
        if error.faults:
            raise Problem(422, error.code, error.detail, errors=error.faults) from None
        raise bad_request(error.code, error.detail) from None


def _is_json(content_type: str) -> bool:
    kind, *parameters = (part.strip().lower() for part in content_type.split(";"))
    charsets = [p.partition("=")[2].strip('"') for p in parameters if p.startswith("charset=")]
    if any(charset not in {"utf-8", "utf8"} for charset in charsets):
        raise bad_request("bad-encoding", "Send the body as UTF-8.")
    return kind == "application/json" or (
        kind.startswith("application/") and kind.endswith("+json")
    )
