"""Checks that a webhook comes from Twilio: exact public address, every parameter, our account."""

import base64
import hashlib
import hmac
from collections.abc import Sequence


class SignatureChecker:
    """Knows the account and its tokens (two while one is being replaced)."""

    def __init__(self, account_sid: str, tokens: Sequence[str]) -> None:
        self._account = account_sid.encode()
        self._keys = [token.encode() for token in tokens]

    def is_genuine(
        self, url: str, params: Sequence[tuple[str, str]], signature: str | None
    ) -> bool:
        """Say whether a token signed this address with these parameters, for our account.

        HMAC-SHA1 over the address and the sorted names and values (X-Twilio-Signature); compared
        in constant time, whichever key fits.
        """
        text = (url + "".join([name + value for name, value in sorted(set(params))])).encode()
        given = (signature or "").encode("utf-8", "replace")
        genuine = False
        for key in self._keys:
            made = base64.b64encode(hmac.new(key, text, hashlib.sha1).digest())
            genuine |= hmac.compare_digest(made, given)
        accounts = [value for name, value in params if name == "AccountSid"]
        ours = [hmac.compare_digest(one.encode(), self._account) for one in accounts]
        return genuine and bool(ours) and all(ours)
