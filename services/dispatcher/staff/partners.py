"""Partners: those whose systems may post CAP messages, and the proof of their key."""

from collections.abc import Sequence
from dataclasses import dataclass
from uuid import UUID

from services.dispatcher.staff import keys, store
from services.dispatcher.staff.people import name_of
from shared.db.session import ALL_TOWNS, Database, Tx
from shared.identifiers import new_id
from shared.security.partner_keys import PARTNER_ROLES, prefix_of
from shared.security.principal import Principal
from shared.web.auth import PartnerKey, bad_key
from shared.web.errors import conflict, forbidden, unauthorized

PREFIX = "partner:"


@dataclass(frozen=True, slots=True)
class Partner:
    """What a partner may: speak as one sender, of these categories (all if none), for a town."""

    partner_id: UUID
    name: str
    sender: str
    categories: frozenset[str]
    town: str


async def enrol(
    tx: Tx, *, name: str, sender: str, categories: Sequence[str], town: str, who: Principal
) -> tuple[UUID, str]:
    """Enrol a partner; return its id and its key, which is shown this once.

    Raises:
        Problem: 409 when another partner has the sender, 403 for another town than one's own.
    """
    if who.town not in ("*", town):
        raise forbidden("other-town", "You may enrol partners of your own town only.")
    key = keys.make_key()
    partner_id = new_id()
    if not await store.insert_partner(
        tx,
        partner_id=partner_id,
        name=name,
        sender=sender,
        prefix=key.prefix,
        digest=key.digest,
        categories=categories,
        town=town,
        created_by=name_of(who),
    ):
        raise conflict("sender-taken", "Another partner has this sender.")
    return partner_id, key.text


async def load_partner(tx: Tx, who: Principal) -> Partner:
    """Return the partner behind a principal.

    Raises:
        Problem: 401 when it has been disabled since.
    """
    row = await store.find_partner(tx, partner_id_of(who.subject))
    if row is None:
        raise unauthorized("The key is not valid.")
    return Partner(
        row["partner_id"], row["name"], row["sender"], frozenset(row["categories"]), row["town"]
    )


async def recognise(tx: Tx, key: str) -> Principal | None:
    """Return the partner of a key, or None when it is nobody's or its partner's is disabled.

    The transaction must see all towns.
    """
    prefix = prefix_of(key)
    row = await store.find_by_prefix(tx, prefix) if prefix else None
    if row is None or not keys.is_key(key, bytes(row["key_hash"])):
        return None
    return Principal(
        subject=f"{PREFIX}{row['partner_id']}",
        kind="partner",
        roles=PARTNER_ROLES,
        town=row["town"],
    )


def partner_id_of(subject: str) -> UUID:
    """Return the id in a partner's subject."""
    return UUID(subject.removeprefix(PREFIX))


async def enrolled_by(tx: Tx, subject: str | None) -> str | None:
    """Return who enrolled the partner of a subject, and so has seen its key; None for people.

    Whoever approves what comes with a key they made themselves would be one person twice.

    Raises:
        Problem: 403 for a partner that the transaction's town does not see. An alert has its
            partner's town, so that is one moved since: who made its key cannot be ruled out.
    """
    if subject is None or not subject.startswith(PREFIX):
        return None
    name = await store.creator_of(tx, partner_id_of(subject))
    if name is None:
        raise forbidden("same-person", "Who enrolled this partner is not seen from your town.")
    return name


class PartnerKeys(PartnerKey):
    """Knows the keys that partners send as X-Api-Key."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def recognise(self, key: str, *, caller: str) -> Principal:
        """Return the partner of a key.

        Raises:
            Problem: 401 when the key is nobody's.
        """
        # Whose town it is about is known only when the key is.
        async with self._database.transaction(town=ALL_TOWNS) as tx:
            principal = await recognise(tx, key)
        if principal is None:
            raise bad_key()
        return principal
