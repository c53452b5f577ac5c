"""Find address points by number and street, or all of a street."""

from collections.abc import Sequence

from services.geofence.layers import store
from services.geofence.layers.addresses import store_addresses
from services.geofence.layers.addresses.address import Address, Match, Wanted
from services.geofence.layers.formats.addresses.streets import (
    alike_number,
    alike_postal,
    alike_street,
    alike_town,
    written_street,
)
from services.geofence.layers.kinds import ADDRESS_POINT, Layer
from shared.db.session import Tx

MOST_EACH = 1_000


async def find_addresses(
    tx: Tx, wanted: Sequence[Wanted], *, version: int | None = None, most: int = MOST_EACH
) -> tuple[Layer, list[Match]] | None:
    """Return the layer of addresses and what it knows of each wanted one.

    Wanted are (number, street, town, postal code). Streets are compared without case and
    punctuation, directions and types in full or short; without a number the whole street is meant,
    without town or postal code any. Several points mean several units, or several towns where none
    was given. Nothing unknown is guessed: its match is empty. None where no addresses are imported.
    """
    layer = await store.layer_of(tx, ADDRESS_POINT, version)
    if layer is None:
        return None
    rows = await store_addresses.addresses(
        tx,
        layer.layer_id,
        numbers=[_number(number) for number, _, _, _ in wanted],
        streets=[alike_street(street) for _, street, _, _ in wanted],
        towns=[_town(town) for _, _, town, _ in wanted],
        postals=[_postal(postal) for _, _, _, postal in wanted],
        most=most + 1,
    )
    found: list[list[Address]] = [[] for _ in wanted]
    for row in rows:
        found[row["place"] - 1].append(
            Address(
                row["number"], row["street_given"], row["unit"], row["town_given"],
                row["postal"], row["lon"], row["lat"],
            )
        )  # fmt: skip
    return layer, [
        _match(street, some, most) for (_, street, _, _), some in zip(wanted, found, strict=True)
    ]


def _match(street: str, found: Sequence[Address], most: int) -> Match:
    """Tell the addresses of a street from those of others that have its key."""
    name = written_street(street)
    same = [written_street(one.street) == name for one in found[:most]]
    return Match(
        tuple(one for one, is_same in zip(found, same, strict=False) if is_same),
        len(found) > most,
        tuple(one for one, is_same in zip(found, same, strict=False) if not is_same),
    )


# What was given and means nothing must match nothing, and not everything.
_NOTHING = "-"


def _number(number: str | None) -> str:
    return "" if number is None else alike_number(number) or _NOTHING


def _town(town: str | None) -> str:
    return alike_town(town) or _NOTHING if town and town.strip() else ""


def _postal(postal: str | None) -> str:
    return alike_postal(postal) or _NOTHING if postal and postal.strip() else ""
