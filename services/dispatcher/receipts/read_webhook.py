"""Reads a provider's webhook: small, a form, signed for this very address, by our account."""

import hashlib
import hmac
from dataclasses import dataclass
from urllib.parse import parse_qsl

from starlette.requests import Request

from services.dispatcher.providers.twilio_signature import SignatureChecker
from shared.web.errors import Problem, bad_request, forbidden, too_large, unsupported_media

MOST_BYTES = 16_384
_MOST_FIELDS = 200
_FORM = "application/x-www-form-urlencoded"


@dataclass(frozen=True, slots=True)
class Webhook:
    """A genuine webhook's parameters."""

    params: dict[str, str]

    def get(self, name: str) -> str | None:
        """Return a parameter, or None where it is missing or empty."""
        return self.params.get(name) or None


async def read_webhook(request: Request, checker: SignatureChecker, *, public_url: str) -> Webhook:
    """Return the parameters of a webhook that the provider signed.

    Raises:
        Problem: 413 too large, 415 no form, 400 unreadable or a name given twice, 403 not signed
            for this address and account.
    """
    if request.headers.get("content-type", "").partition(";")[0].strip().lower() != _FORM:
        raise unsupported_media(_FORM)
    raw = await _body(request)
    try:
        pairs = parse_qsl(
            raw.decode("ascii"), keep_blank_values=True, max_num_fields=_MOST_FIELDS,
            errors="strict",
        )  # fmt: skip
    except ValueError:
        raise bad_request("bad-form", "The form cannot be read.") from None
    query = request.url.query
    url = public_url + request.url.path + (f"?{query}" if query else "")
    signature = request.headers.get("x-twilio-signature")
    if not checker.is_genuine(url, pairs, signature) or not _same_digest(request, raw):
        raise _not_signed()
    params = dict(pairs)
    if len(params) != len(pairs):
        raise bad_request("duplicate-parameter", "A parameter is given twice.")
    return Webhook(params)


async def _body(request: Request) -> bytes:
    declared = request.headers.get("content-length", "0")
    if declared.isdigit() and int(declared) > MOST_BYTES:
        raise too_large()
    raw = b""
    async for chunk in request.stream():
        raw += chunk
        if len(raw) > MOST_BYTES:
            raise too_large()
    return raw


def _same_digest(request: Request, raw: bytes) -> bool:
    given = request.query_params.get("bodySHA256")
    if given is None:
        return True
    return hmac.compare_digest(hashlib.sha256(raw).hexdigest(), given.lower())


def _not_signed() -> Problem:
    return forbidden("bad-signature", "The signature does not fit this request.")
