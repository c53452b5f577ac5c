"""What came before under the same identifier: the same message, or another one."""

from uuid import UUID

from sqlalchemy import RowMapping

from shared.web.errors import conflict


def same_alert(known: RowMapping, digest: bytes) -> UUID:
    """Return the alert that the same content became.

    Raises:
        Problem: 409 when the content was another.
    """
    if bytes(known["digest"]) != digest:
        detail = "Another message came with this identifier before."
        raise conflict("cap-identifier-reused", detail)
    alert_id: UUID = known["alert_id"]
    return alert_id
