"""The closed list of why a delivery did not reach anybody."""

REASONS = (
    "opted_out", "invalid_address", "landline", "unreachable", "no_answer", "blocked", "refused",
    "attempts_used", "contact_gone", "no_receipt", "expired", "cancelled", "superseded",
    "misconfigured", "other",
)  # fmt: skip
# What the rooms below write, in the report's words; what is not here keeps its own if listed.
_SAME = {
    "stop": "opted_out",
    "stopped": "cancelled",
    "invalid": "invalid_address",
    "hard_bounce": "invalid_address",
    "lapsed": "expired",
    "busy": "no_answer",
    "no-answer": "no_answer",
    "configuration": "misconfigured",
    "message": "misconfigured",
    "message_fault": "misconfigured",
    "temporary": "unreachable",
    "too_many": "attempts_used",
    "filtered": "blocked",
    "carrier_busy": "unreachable",
    "provider_failed": "unreachable",
    "sender_refused": "misconfigured",
    "provider_misconfigured": "misconfigured",
    "fax": "no_answer",
    "deadline": "expired",
}
# A state that is a reason by itself.
_BY_STATE = {
    "expired": "expired",
    "cancelled": "cancelled",
    "superseded": "superseded",
    "no_receipt": "no_receipt",
}


def reason_of(state: str, reason: str | None) -> str:
    """Return why a delivery in a closing state failed, by the closed list."""
    if state in _BY_STATE:
        return _BY_STATE[state]
    word = (reason or "").strip().lower()
    word = _SAME.get(word, word)
    if word in REASONS:
        return word
    return "opted_out" if state == "suppressed" else "other"
