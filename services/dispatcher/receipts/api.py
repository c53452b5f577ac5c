"""The doors for providers and residents: status callbacks, texts, keys, unsubscribe links."""

from typing import Annotated, Any, Literal
from uuid import UUID

from fastapi import APIRouter, Path, Request, Response
from fastapi.responses import HTMLResponse

from services.dispatcher.providers.twilio_signature import SignatureChecker
from services.dispatcher.receipts import answers
from services.dispatcher.receipts.address_of import address_of
from services.dispatcher.receipts.inbound import Heard, inbound
from services.dispatcher.receipts.letterbox import Letterbox
from services.dispatcher.receipts.read_webhook import Webhook, read_webhook
from services.dispatcher.receipts.words import Wish, read_key, read_text
from services.dispatcher.settings import Context, Doors, context_of
from shared.db.session import ALL_TOWNS
from shared.events.receipt import ReceiptReceived
from shared.security.links import LinkInvalid
from shared.security.sealing import AddressHasher, Sealer
from shared.watch.metrics import Counter
from shared.web.auth import public
from shared.web.errors import gone, not_found, unavailable

incomplete = Counter(
    "ctalert_receipts_incomplete_total", "Signed callbacks that say nothing we can use", ["channel"]
)
_SIDS = {"sms": ("MessageSid", "MessageStatus"), "voice": ("CallSid", "CallStatus")}
_LONGEST_WORD = 64
_LONGEST_SID = 128
_LINK_LIFETIME_S = 400 * 86_400
_PAGE = """<!doctype html><html lang="en"><meta charset="utf-8"><title>Unsubscribe</title>
<h1>Stop e-mails from CT Alert?</h1><form method="post"><button>Unsubscribe</button></form></html>
"""
_LEFT = "You are unsubscribed."

router = APIRouter(tags=["webhooks"])
_FORM = "application/x-www-form-urlencoded"
_DELIVERY = "019c0f40-2b11-7a52-8f0e-6c1d2e3f4a5b"
DeliveryId = Annotated[UUID, Path(examples=[_DELIVERY])]
Token = Annotated[str, Path(examples=["eyJkZWxpdmVyeSI6Ii4uLiJ9.aX5-bQ.c2lnbmF0dXJl"])]
_SIGNATURE: dict[str, Any] = {
    "name": "X-Twilio-Signature", "in": "header", "required": True, "schema": {"type": "string"},
    "description": "The provider's HMAC-SHA1 over our public address and the form, in base64.",
    "example": "c2lnbmF0dXJlIG9mIHR3aWxpbyE=",
}  # fmt: skip


def _form(*parameters: dict[str, Any], **fields: str) -> dict[str, Any]:
    """Document a provider's form, whose signature stands in X-Twilio-Signature."""
    example = {"AccountSid": "AC" + "0" * 32, **fields}
    properties = {name: {"type": "string"} for name in example}
    schema = {"type": "object", "required": ["AccountSid"], "properties": properties}
    return {
        "parameters": [*parameters, _SIGNATURE],
        "requestBody": {"required": True, "content": {
            _FORM: {"schema": schema, "example": example},
        }},
    }  # fmt: skip


def _parameter(where: str, name: str, example: object, **schema: object) -> dict[str, Any]:
    return {"name": name, "in": where, "required": where == "path", "schema": schema,
            "example": example}  # fmt: skip


def _text(media: str, example: str) -> dict[int | str, dict[str, Any]]:
    """Document an answer that is no JSON."""
    return {200: {"content": {media: {"schema": {"type": "string"}, "example": example}}}}


async def take_receipt(request: Request) -> Response:
    """Take a status callback: check its signature, put it on the bus, answer 204.

    What it means is settled later: an unknown delivery, status or code is no error here, for the
    provider would only send it again.

    Raises:
        Problem: 403 not signed, 413, 415, 400 unreadable, 404 no such channel, 503 no bus.
    """
    context = context_of(request)
    channel = request.path_params["channel"]
    if channel not in _SIDS:
        raise not_found()
    webhook = await _read(request, context)
    receipt = _receipt(webhook, channel, request, context)
    if receipt is None:
        incomplete.labels(channel).inc()
    else:
        letterbox: Letterbox = request.app.state.letterbox
        await letterbox.put(receipt)
    return Response(status_code=204)


# A bare route: two or three callbacks follow every text. Its guard is the provider's signature,
# and it says itself what FastAPI would have written of it.
take_receipt.guarded_by = "twilio-signature"  # type: ignore[attr-defined]
take_receipt.operation = {  # type: ignore[attr-defined]
    "tags": router.tags, "summary": "Take Receipt", "operationId": "take_receipt",
    "description": "Take a status callback; of a call it brings CallSid and CallStatus.",
    **_form(
        _parameter("path", "channel", "sms", type="string", enum=[*_SIDS]),
        _parameter("path", "delivery_id", _DELIVERY, type="string", format="uuid"),
        _parameter("query", "epoch", 1, type="integer", minimum=0),
        MessageSid="SM" + "0" * 32, MessageStatus="undelivered", ErrorCode="30003",
    ),
    "responses": {"204": {"description": "It is on the bus."}},
}  # fmt: skip
router.add_route("/v1/receipts/twilio/{channel}/{delivery_id}", take_receipt, methods=["POST"])


@router.post(
    "/v1/inbound/twilio/sms",
    dependencies=[public],
    response_class=Response,
    responses=_text("application/xml", answers.SILENCE),
    openapi_extra=_form(From="+18605550123", MessageSid="SM" + "0" * 32, Body="STOP"),
)
async def take_text(request: Request, context: Doors) -> Response:
    """Take a resident's text; a STOP holds before it is answered."""
    webhook = await _read(request, context)
    sender, sid = webhook.get("From"), webhook.get("MessageSid")
    if sender is None or sid is None or len(sid) > _LONGEST_SID:
        incomplete.labels("sms").inc()
        return _twiml(answers.SILENCE)
    body = webhook.get("Body") or ""
    await _take(context, channel="sms", kind="text", inbound_id=sid, address=sender, body=body,
                wish=read_text(body))  # fmt: skip
    return _twiml(answers.SILENCE)


@router.post(
    "/v1/inbound/twilio/voice/{delivery_id}",
    dependencies=[public],
    response_class=Response,
    responses=_text("application/xml", answers.key_answer("stop", authority="CT Alert")),
    openapi_extra=_form(To="+18605550123", CallSid="CA" + "0" * 32, Digits="9"),
)
async def take_key(delivery_id: DeliveryId, request: Request, context: Doors) -> Response:
    """Take the key that somebody pressed in a call: 9 leaves, 1 confirms."""
    webhook = await _read(request, context)
    inward = (webhook.get("Direction") or "").startswith("inbound")
    number, sid = webhook.get("From" if inward else "To"), webhook.get("CallSid")
    digits = (webhook.get("Digits") or "")[:_LONGEST_WORD]
    wish = read_key(digits)
    if number is None or sid is None or not digits or len(sid) > _LONGEST_SID - 8:
        incomplete.labels("voice").inc()
    else:
        await _take(context, channel="voice", kind="key", inbound_id=f"{sid}:{digits[:4]}",
                    address=number, body=digits, wish=wish)  # fmt: skip
    return _twiml(answers.key_answer(wish, authority=context.settings.authority_name))


@router.get(
    "/v1/inbound/email/unsubscribe/{token}", dependencies=[public], response_class=HTMLResponse,
    responses=_text("text/html", _PAGE),
)  # fmt: skip
async def show_unsubscribe(token: Token) -> HTMLResponse:
    """Show the button; a link scanner's visit changes nothing."""
    return HTMLResponse(_PAGE)


@router.post(
    "/v1/inbound/email/unsubscribe/{token}", dependencies=[public], response_class=Response,
    responses=_text("text/plain", _LEFT),
)  # fmt: skip
async def take_unsubscribe(token: Token, context: Doors) -> Response:
    """Unsubscribe an e-mail address by its link, in one click (RFC 8058); twice is once."""
    links, sealer = context.keyring.links, context.keyring.sealer
    if links is None or sealer is None:
        raise unavailable("no-keys", "Unsubscribing is not set up.", 60)
    try:
        payload = links.read("unsubscribe", token, max_age_s=_LINK_LIFETIME_S)
        delivery_id = UUID(str(payload["delivery"]))
    except (LinkInvalid, KeyError, ValueError):
        raise gone("link-invalid", "This link is not valid any more.") from None
    async with context.database.transaction(town=ALL_TOWNS) as tx:
        hashed = await address_of(tx, delivery_id)
    if hashed is None:
        raise gone("link-invalid", "This link is not valid any more.")
    now = context.clock.now()
    # A mail program may repeat a click at once; a click after coming back is a new wish to leave.
    await _write(context, sealer, Heard(
        inbound_id=f"unsubscribe:{delivery_id}:{now:%Y%m%d%H%M}", channel="email",
        kind="unsubscribe", hashes=(hashed,), body="", wish="stop", received_at=now,
    ))  # fmt: skip
    return Response(_LEFT, media_type="text/plain")


async def _read(request: Request, context: Context) -> Webhook:
    settings = context.settings
    if not settings.twilio_account_sid or not settings.twilio_auth_token:
        raise unavailable("no-account", "No provider account is set up.", 60)
    checker = SignatureChecker(settings.twilio_account_sid, [settings.twilio_auth_token])
    return await read_webhook(request, checker, public_url=settings.public_url)


def _receipt(
    webhook: Webhook, channel: str, request: Request, context: Context
) -> ReceiptReceived | None:
    sid_name, status_name = _SIDS[channel]
    sid, status = webhook.get(sid_name), webhook.get(status_name)
    try:
        delivery_id = UUID(request.path_params["delivery_id"])
    except ValueError:
        return None
    if sid is None or status is None or len(sid) > _LONGEST_SID:
        return None
    code, answered_by = webhook.get("ErrorCode"), webhook.get("AnsweredBy")
    epoch = request.query_params.get("epoch", "")
    return ReceiptReceived(
        delivery_id=delivery_id,
        provider="twilio",
        channel="sms" if channel == "sms" else "voice",
        sid=sid,
        status=status[:_LONGEST_WORD],
        error_code=code and code[:_LONGEST_WORD],
        answered_by=answered_by and answered_by[:_LONGEST_WORD],
        epoch=int(epoch) if epoch.isascii() and epoch.isdigit() and len(epoch) < 10 else None,
        received_at=context.clock.now(),
    )


async def _take(
    context: Context, *, channel: Literal["sms", "voice"], kind: Literal["text", "key"],
    inbound_id: str, address: str, body: str, wish: Wish,
) -> bool:  # fmt: skip
    hasher: AddressHasher | None = context.keyring.hasher
    sealer = context.keyring.sealer
    if hasher is None or sealer is None:
        raise unavailable("no-keys", "Texts cannot be taken.", 60)
    return await _write(context, sealer, Heard(
        inbound_id=inbound_id, channel=channel, kind=kind,
        hashes=tuple(hasher.all_hashes(address)), body=body, wish=wish,
        received_at=context.clock.now(),
    ))  # fmt: skip


async def _write(context: Context, sealer: Sealer, message: Heard) -> bool:
    async with context.database.transaction(town=ALL_TOWNS) as tx:
        return await inbound(tx, message, outbox=context.outbox, sealer=sealer)


def _twiml(text: str) -> Response:
    return Response(text, media_type="application/xml")
