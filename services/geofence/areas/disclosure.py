"""How exactly counts of people are told, and to whom.

Whoever issues alerts types the number of people back, so totals and channels are told exactly to
managers. What parts people by town or language could name one of a few: such a count is told in
fives, and as None where it is one to four. Viewers get every count that way.
"""

from collections.abc import Mapping

from shared.security.principal import Principal

FEW = 5


def coarse(count: int) -> int | None:
    """Return a count in fives, None for one to four; nobody is nobody."""
    if 0 < count < FEW:
        return None
    return (count + FEW // 2) // FEW * FEW


def coarse_all(counts: Mapping[str, int]) -> dict[str, int | None]:
    """Return counts in fives, None for one to four."""
    return {name: coarse(count) for name, count in counts.items()}


def sees_exact(who: Principal) -> bool:
    """Say whether somebody is told totals exactly."""
    return "manager" in who.roles


def reach(people: int | None, residents: float | None) -> float | None:
    """Return people registered for each resident, None where either is not known."""
    if people is None or residents is None or residents < 1:
        return None
    return round(people / residents, 3)
