"""The tables of codes, and the signature beside the vendor's own check."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from twilio.request_validator import RequestValidator

from services.dispatcher.providers import base, smtp_codes, twilio_codes
from services.dispatcher.providers.mail import check_address
from services.dispatcher.providers.twilio_signature import SignatureChecker
from simulators.signature import sign_request

ACCOUNT, TOKEN = "AC" + "0" * 32, "7d1b0a4e9c52f6837d1b0a4e9c52f683"
NAMES = st.text(st.characters(codec="utf-8", exclude_categories=("Cs",)), min_size=1, max_size=12)


@pytest.mark.shows("S25")
@settings(max_examples=200, deadline=None)
@given(
    params=st.dictionaries(NAMES, st.text(st.characters(codec="utf-8"), max_size=30), max_size=8),
    query=st.sampled_from(["", "?epoch=1", "?a=%20b&c=d"]),
)
def test_our_signer_checker_and_the_vendor_s_agree(params: dict[str, str], query: str) -> None:
    params = {**params, "AccountSid": ACCOUNT}
    url = "https://alerts.ct.example/v1/receipts/twilio/sms/1" + query
    signature = sign_request(TOKEN, url + "#rc=5&rp=all", params)
    assert signature == RequestValidator(TOKEN).compute_signature(url, params)
    pairs = list(params.items())
    assert SignatureChecker(ACCOUNT, [TOKEN]).is_genuine(url, pairs, signature)
    assert SignatureChecker(ACCOUNT, ["f" * 32, TOKEN]).is_genuine(url, pairs[::-1], signature)
    assert not SignatureChecker(ACCOUNT, ["f" * 32]).is_genuine(url, pairs, signature)
    assert not SignatureChecker("AC" + "1" * 32, [TOKEN]).is_genuine(url, pairs, signature)
    assert not SignatureChecker(ACCOUNT, [TOKEN]).is_genuine(url, [*pairs, ("x", "y")], signature)


@given(status=st.integers(400, 599), code=st.none() | st.integers(0, 10**6))
def test_every_reply_has_an_error_and_server_errors_are_never_called_refusals(
    status: int, code: int | None
) -> None:
    error = twilio_codes.reply_error(status, code)
    assert error.code
    assert error.sentence
    assert not (error.retryable and error.ambiguous)
    if status >= 500:
        assert isinstance(error, base.Ambiguous)
    if status == 429:
        assert isinstance(error, base.TooMany)


@given(code=st.integers(200, 599), text=st.text(max_size=20))
def test_every_mail_reply_has_an_error(code: int, text: str) -> None:
    for stage in ("connect", "mail", "rcpt", "data", "dot"):
        error = smtp_codes.reply_error(code, text, stage)  # type: ignore[arg-type]
        assert error.retryable == isinstance(error, base.NotProcessed)


def test_the_tables_overlap_nowhere_and_name_their_waits() -> None:
    for code, verdict in twilio_codes.TABLE.items():
        assert 10_000 <= code < 40_000
        assert verdict.sentence
        if verdict.most_tries is not None and verdict.waits_s:
            assert len(verdict.waits_s) <= verdict.most_tries


@pytest.mark.shows("S34")
@pytest.mark.parametrize(
    "address",
    ["ada@example.com", "a.b+c_d@sub.example.co.uk", "x@xn--bcher-kva.example", "o'hara@x.org"],
)
def test_plain_addresses_pass(address: str) -> None:
    assert check_address(address) == address
