"""`ctl token`: print a bearer token of the embedded default's own issuer."""

import argparse
from collections.abc import Sequence

from ctalert.provision import keys_folder
from shared.security.keys import KeyRing

_ROLES = ("manager", "admin", "viewer")


def run(arguments: list[str]) -> int:
    """Print a token for somebody of these roles."""
    parser = argparse.ArgumentParser(prog="ctl token", description=__doc__)
    parser.add_argument("--role", action="append", required=True, choices=_ROLES, dest="roles",
                        help="may be given more than once")  # fmt: skip
    parser.add_argument("--town", default="*", help="a town's GEOID; * is the whole State")
    parser.add_argument("--subject", required=True, help="who it is, as audit records name them")
    parser.add_argument("--lifetime", type=int, default=900, metavar="SECONDS")
    options = parser.parse_args(arguments)
    print(
        make_token(
            role=options.roles,
            town=options.town,
            subject=options.subject,
            lifetime_s=options.lifetime,
        )
    )
    return 0


def make_token(
    *, role: str | Sequence[str], subject: str, town: str = "*", lifetime_s: int = 900
) -> str:
    """Return a token of the embedded issuer, whose key is made on first use."""
    issuer = KeyRing.load(keys_folder() / "issuer.json").tokens.issuer
    if issuer is None:
        raise RuntimeError("issuer.json holds no key to issue with")
    roles = [role] if isinstance(role, str) else list(role)
    return issuer.issue(subject=subject, roles=roles, town=town, lifetime_s=lifetime_s)
