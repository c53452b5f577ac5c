"""How often codes may be asked for: per address, number block, network and in all (S21)."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from shared.security.networks import network_of
from shared.security.sealing import AddressHasher

HOUR_S, DAY_S = 3600, 86_400


@dataclass(frozen=True, slots=True)
class Brake:
    """A counter's key, and how many it may count in a window of seconds."""

    key: str
    limit: int
    per_s: int


def brakes_for(
    addresses: Iterable[str], *, client: str | None, hasher: AddressHasher
) -> list[Brake]:
    """Return the brakes that a request for codes to these addresses has to pass, in order.

    client: the caller's IP address; its /24, or /56 for IPv6, shares one counter.
    """
    found = [Brake(f"codes:net:{network_of(client)}", 100, HOUR_S)]
    # The same address for texts and calls is one: two codes would go to one phone.
    for address in dict.fromkeys(addresses):
        found.extend(_of_address(address, hasher))
    found.append(Brake("codes:all", 10_000, HOUR_S))
    return found


def _of_address(address: str, hasher: AddressHasher) -> Iterator[Brake]:
    # Hashed with our key: the ten thousand million numbers there are would all be found by trying.
    mark = hasher.hash(address).digest.hex()
    yield Brake(f"codes:hour:{mark}", 3, HOUR_S)
    yield Brake(f"codes:day:{mark}", 5, DAY_S)
    if address.startswith("+"):
        # The first seven digits: a block of ten thousand numbers, which pumping walks through.
        yield Brake(f"codes:block:{address[:8]}", 100, HOUR_S)
