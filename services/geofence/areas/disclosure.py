"""How exactly counts of people are told, and to whom.

Managers are told totals and channels exactly where they may issue alerts: in their own town, or
anywhere if they are of the whole State. Elsewhere a total would say of any one house whether
somebody in it has signed up. What parts people by town or language could name one of a few: such
a count is told in fives, and as None where it is one to four. Viewers, and managers beyond their
own town, get every count that way.
"""

from collections.abc import Collection, Mapping

from shared.connecticut import town_by_geoid
from shared.security.principal import Principal

FEW = 5
WHOLE_STATE = "*"


def coarse(count: int) -> int | None:
    """Return a count in fives, None for one to four; nobody is nobody."""
    if 0 < count < FEW:
        return None
    return (count + FEW // 2) // FEW * FEW


def coarse_all(counts: Mapping[str, int]) -> dict[str, int | None]:
    """Return counts in fives, None for one to four."""
    return {name: coarse(count) for name, count in counts.items()}


def sees_exact(who: Principal, *, towns: Collection[str]) -> bool:
    """Say whether somebody is told the totals of an area that enters these towns exactly.

    Of an area that enters none that is known nobody can say whose it is.
    """
    if "manager" not in who.roles:
        return False
    return who.town == WHOLE_STATE or {_same_town(code) for code in towns} == {_same_town(who.town)}


def reach(people: int | None, residents: float | None) -> float | None:
    """Return people registered for each resident, None where either is not known."""
    if people is None or residents is None or residents < 1:
        return None
    return round(people / residents, 3)


def _same_town(code: str) -> str:
    """Return one code for a town that has two: by its county and by its planning region."""
    town = town_by_geoid(code)
    return town.geoid if town else code
