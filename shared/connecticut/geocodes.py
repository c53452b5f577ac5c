"""Says by a geocode's own form that it names a place of another state or country."""

import re

_STATE = "09"
# The coastal waters from Maine to the Carolinas hold the State's part of Long Island Sound: AN in
# a UGC, 73 in SAME (NWS Directive 10-1702, 47 CFR 11.31(f)). No other waters reach it.
_STATES = {
    "SAME": (re.compile(r"[0-9]([0-9]{2})[0-9]{3}", re.ASCII), {_STATE, "73"}),
    "UGC": (re.compile(r"([A-Z]{2})[CZ][0-9]{3}", re.ASCII), {"CT", "AN"}),
    "FIPS": (re.compile(r"([0-9]{2})[0-9]{3,8}", re.ASCII), {_STATE}),
}
_STATES |= {"FIPS6": _STATES["SAME"], "TOWN": _STATES["FIPS"]}


def is_beyond_state(scheme: str, value: str) -> bool:
    """Say whether a geocode, known here or not, can name no place in Connecticut.

    Of a scheme that is not one of ours nobody can say so, nor of a name.
    """
    if scheme not in _STATES:
        return False
    form, ours = _STATES[scheme]
    found = form.fullmatch(value)
    return found is not None and found[1] not in ours
