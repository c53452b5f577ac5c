"""`ctl token`: print a bearer token of the embedded default's own issuer."""

import argparse
from collections.abc import Sequence

from ctalert.provision import keys_folder
from shared.connecticut import town_by_geoid, town_by_name
from shared.security.keys import KeyRing
from shared.security.tokens import LONGEST_LIFE_S

_ROLES = ("manager", "admin", "viewer")


def run(arguments: list[str]) -> int:
    """Print a token for somebody of these roles."""
    parser = argparse.ArgumentParser(prog="ctl token", description=__doc__)
    parser.add_argument("--role", action="append", required=True, choices=_ROLES, dest="roles",
                        help=f"{', '.join(_ROLES)}; may be given more than once")  # fmt: skip
    parser.add_argument("--town", type=_town, default="*",
                        help="a town's name or GEOID; * is the whole State")  # fmt: skip
    parser.add_argument("--subject", type=_subject, required=True,
                        help="who it is, as audit records name them")  # fmt: skip
    parser.add_argument("--lifetime", type=_lifetime, default=900, metavar="SECONDS",
                        help=f"at most {LONGEST_LIFE_S}, a day")  # fmt: skip
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


def _town(text: str) -> str:
    given = text.strip()
    if given == "*" or town_by_geoid(given):
        return given
    town = town_by_name(given)
    if town is None:
        raise argparse.ArgumentTypeError(f"{text!r} is no town's name or GEOID")
    return town.geoid


def _subject(text: str) -> str:
    if not text.strip():
        raise argparse.ArgumentTypeError("a token speaks for somebody")
    return text


def _lifetime(text: str) -> int:
    try:
        seconds = int(text)
    except ValueError:
        raise argparse.ArgumentTypeError(f"{text!r} is no whole number of seconds") from None
    if not 1 <= seconds <= LONGEST_LIFE_S:
        raise argparse.ArgumentTypeError(f"{seconds} is not between 1 and {LONGEST_LIFE_S}")
    return seconds


def make_token(
    *, role: str | Sequence[str], subject: str, town: str = "*", lifetime_s: int = 900
) -> str:
    """Return a token of the embedded issuer, whose key is made on first use."""
    issuer = KeyRing.load(keys_folder() / "issuer.json").tokens.issuer
    if issuer is None:
        raise RuntimeError("issuer.json holds no key to issue with")
    roles = [role] if isinstance(role, str) else list(role)
    return issuer.issue(subject=subject, roles=roles, town=town, lifetime_s=lifetime_s)
