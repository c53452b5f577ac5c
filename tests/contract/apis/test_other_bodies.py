"""Bodies that are no JSON models: layers, CAP messages and providers' forms, refused as well."""

from urllib.parse import urlencode
from uuid import UUID, uuid4

import httpx2
import pytest

from simulators.signature import sign_request
from tests.contract.apis.desk import PUBLIC_URL, Api, Apis
from tests.contract.apis.test_problems import MARK, check
from tests.simulated import ACCOUNT, TOKEN

FORM = "application/x-www-form-urlencoded"
POINT = f'{{"type":"Feature","properties":{{"{MARK}":"{MARK}"}},"geometry":null}}'
LAYERS = {
    "J01": (b"", 400, "empty-body"),
    "J02": (f'{{"type": "{MARK}'.encode(), 400, "malformed-json"),
    "J03": (b"[" * 100_000, 400, "too-deep"),
    "J05": (f'{{"type": "{MARK}"}}'.encode("utf-16"), 400, "bad-encoding"),
    "J07": (b'{"type": NaN}', 422, "layer-invalid"),
    "J13": (f'["{MARK}"]'.encode(), 422, "layer-invalid"),
    "other": (f'{{"type": "{MARK}"}}'.encode(), 422, "layer-invalid"),
    "none": (b'{"type": "FeatureCollection", "features": []}', 422, "layer-invalid"),
    "bare": (f'{{"type":"FeatureCollection","features":[{POINT}]}}'.encode(), 422,
             "layer-invalid"),
}  # fmt: skip
MESSAGES = {
    "C02": (b"", 400, None),
    "C02b": (f"<alert>{MARK}".encode(), 400, None),
    "C03": (f'<!DOCTYPE a [<!ENTITY x "{MARK}">]><alert>&x;</alert>'.encode(), 400,
            "dtd-forbidden"),
    "C04": (f'<?xml version="1.0" encoding="UTF-16"?><a>{MARK}</a>'.encode("utf-16"), 400, None),
    "C05": (b"<a>" + MARK.encode() * 20_000 + b"</a>", 413, "cap-too-large"),
    "C07": (f'<alert xmlns="urn:{MARK}"/>'.encode(), 422, None),
    "C08": (f'<alert xmlns="urn:oasis:names:tc:emergency:cap:1.2"><{MARK}/></alert>'.encode(), 422,
            None),
}  # fmt: skip
DELIVERY = UUID(int=7)
WEBHOOKS = (
    f"/v1/receipts/twilio/sms/{DELIVERY}?epoch=1",
    "/v1/inbound/twilio/sms",
    f"/v1/inbound/twilio/voice/{DELIVERY}",
)


async def signed(api: Api, path: str, pairs: list[tuple[str, str]]) -> httpx2.Response:
    """Post a form that our provider's account signed."""
    pairs = [("AccountSid", ACCOUNT), *pairs]
    signature = sign_request(TOKEN, PUBLIC_URL + path, dict(pairs))
    headers = {"Content-Type": FORM, "X-Twilio-Signature": signature}
    return await api.client.post(path, content=urlencode(pairs).encode(), headers=headers)


@pytest.mark.shows("bad:J01", "bad:J02", "bad:J03", "bad:J05", "bad:J13", "S44")
@pytest.mark.parametrize("case", LAYERS)
async def test_a_bad_layer(apis: Apis, case: str) -> None:
    body, status, slug = LAYERS[case]
    api = apis["geofence"]
    headers = {**api.headers("admin"), "Content-Type": "application/geo+json"}
    answer = await api.client.post("/v1/layers/town", content=body, headers=headers)
    check(answer, status, slug)


@pytest.mark.shows("bad:J04", "bad:J15", "bad:J14", "S42")
async def test_a_layer_of_another_form(apis: Apis) -> None:
    api = apis["geofence"]
    for media in ("text/plain", "application/xml", ""):
        headers = {**api.headers("admin"), "Content-Type": media}
        answer = await api.client.post("/v1/layers/town", content=MARK, headers=headers)
        check(answer, 415, "unsupported-media-type")
    headers = {**api.headers("admin"), "Content-Encoding": "gzip"}
    check(await api.client.post("/v1/layers/town", content=MARK, headers=headers), 415)
    headers = {**api.headers("admin"), "Content-Type": "application/geo+json"}
    huge = b"[" + b" " * 64_000_000 + b"]"
    answer = await api.client.post("/v1/layers/town", content=huge, headers=headers)
    check(answer, 413, "too-large")


@pytest.mark.shows(*(f"bad:C0{n}" for n in (2, 3, 4, 5, 7, 8)), "S44", "C2")
@pytest.mark.parametrize("case", MESSAGES)
async def test_a_bad_cap_message(apis: Apis, case: str) -> None:
    body, status, slug = MESSAGES[case]
    api = apis["dispatcher"]
    headers = {**api.headers("partner"), "Content-Type": "application/cap+xml"}
    check(await api.client.post("/v1/cap", content=body, headers=headers), status, slug)


@pytest.mark.shows("bad:C01", "bad:J15")
async def test_a_cap_message_of_another_form(apis: Apis) -> None:
    api = apis["dispatcher"]
    for media in ("application/json", "text/xml", ""):
        headers = {**api.headers("partner"), "Content-Type": media}
        answer = await api.client.post("/v1/cap", content=MARK, headers=headers)
        check(answer, 415, "unsupported-media-type")
    headers = {**api.headers("partner"), "Content-Encoding": "gzip"}
    check(await api.client.post("/v1/cap", content=MARK, headers=headers), 415)


@pytest.mark.shows("bad:W01", "bad:W02", "bad:W03", "bad:W10", "bad:W11", "S25", "S44")
@pytest.mark.parametrize("path", WEBHOOKS)
async def test_a_bad_webhook(apis: Apis, path: str) -> None:
    api = apis["dispatcher"]
    form = {"Content-Type": FORM}
    body = f"AccountSid={ACCOUNT}&Body={MARK}".encode()
    check(await api.client.post(path, content=body, headers=form), 403, "bad-signature")
    forged = {**form, "X-Twilio-Signature": MARK}
    check(await api.client.post(path, content=body, headers=forged), 403, "bad-signature")
    json = await api.client.post(path, json={"Body": MARK})
    check(json, 415, "unsupported-media-type")
    check(await api.client.post(path), 415, "unsupported-media-type")
    check(await api.client.post(path, content=b"", headers=form), 403, "bad-signature")
    check(await api.client.post(path, content=b"\xff=%ff", headers=form), 400, "bad-form")
    much = MARK.encode() * 2_000
    check(await api.client.post(path, content=much, headers=form), 413, "too-large")
    many = "&".join(f"a{n}=1" for n in range(1_000)).encode()
    check(await api.client.post(path, content=many, headers=form), 400, "bad-form")
    twice = [("MessageStatus", MARK), ("MessageStatus", MARK)]
    check(await signed(api, path, twice), 400, "duplicate-parameter")
    zipped = {**form, "Content-Encoding": "gzip"}
    check(await api.client.post(path, content=body, headers=zipped), 415, "content-encoding")


@pytest.mark.shows("bad:J22", "S23")
async def test_a_link_or_channel_that_is_none(apis: Apis) -> None:
    api = apis["dispatcher"]
    answer = await api.client.post("/v1/inbound/email/unsubscribe/nonsense")
    check(answer, 410, "link-invalid")
    body = f"AccountSid={ACCOUNT}".encode()
    for channel in ("email", "fax", "%00"):
        path = f"/v1/receipts/twilio/{channel}/{uuid4()}"
        check(await api.client.post(path, content=body, headers={"Content-Type": FORM}), 404)
