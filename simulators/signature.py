"""X-Twilio-Signature as its provider makes it, written apart from the code that checks it."""

import base64
import hashlib
import hmac
from collections.abc import Mapping


def sign_request(token: str, url: str, params: Mapping[str, str]) -> str:
    """Sign a webhook: HMAC-SHA1 over the URL without its fragment and the sorted parameters."""
    text = url.partition("#")[0] + "".join(name + params[name] for name in sorted(params))
    digest = hmac.new(token.encode(), text.encode(), hashlib.sha1).digest()
    return base64.b64encode(digest).decode()
