"""The list of services and roles: the only module that knows all of them."""

import importlib
from dataclasses import dataclass

from shared.service import Role

SERVICES = ("subscriber", "geofence", "dispatcher")
ROLES = (
    *("subscriber:api", "subscriber:worker", "subscriber:relay"),
    *("geofence:replica", "geofence:places", "geofence:relay"),
    *("dispatcher:api", "dispatcher:contacts", "dispatcher:fanout", "dispatcher:settle"),
    *("dispatcher:timers", "dispatcher:relay"),
    *("dispatcher:sms", "dispatcher:voice", "dispatcher:email"),
    "simulators:all",
)

# The settings in which two of a role must differ to run beside one another, and what they are
# where nobody gives them; of the roles that are not named, any number may run.
PORTS = {
    "subscriber:api": {"CTALERT_SUBSCRIBER_PORT": 8081},
    "geofence:replica": {"CTALERT_GEOFENCE_PORT": 8082},
    "dispatcher:api": {"CTALERT_DISPATCHER_PORT": 8083},
    "simulators:all": {"CTALERT_SIMULATOR_PORT": 8090, "CTALERT_SIMULATOR_SMTP_PORT": 8025},
}
# Inside the data folder.
FOLDERS = {"simulators:all": {"CTALERT_SIMULATOR_FOLDER": "simulators"}}


@dataclass(frozen=True, slots=True)
class Group:
    """Roles that share one process."""

    name: str
    roles: tuple[str, ...]


# In the order they start; stopped the other way round, so that nothing new comes in while what
# is under way is finished.
GROUPS = (
    Group("simulators", ("simulators:all",)),
    Group("geofence", ("geofence:replica", "geofence:places", "geofence:relay")),
    Group(
        "flow",
        (
            *("dispatcher:contacts", "dispatcher:fanout", "dispatcher:settle"),
            *("dispatcher:timers", "dispatcher:relay", "subscriber:worker", "subscriber:relay"),
        ),
    ),
    Group("sms", ("dispatcher:sms",)),
    Group("voice", ("dispatcher:voice",)),
    Group("email", ("dispatcher:email",)),
    Group("apis", ("subscriber:api", "dispatcher:api")),
)


class UnknownRole(ValueError):
    """A name that is neither `all`, nor a service, nor one of its roles."""


def choose_groups(names: list[str], *, simulators: bool) -> list[Group]:
    """Return the processes for `all`, for services and for single roles.

    Raises:
        UnknownRole: a name is none of these.
    """
    wanted: set[str] = set()
    for name in names:
        found = {role for role in ROLES if name in (role, role.split(":")[0])}
        if name == "all":
            found = {role for role in ROLES if simulators or not role.startswith("simulators:")}
        if not found:
            raise UnknownRole(f"there is no service or role {name!r}; the roles: {' '.join(ROLES)}")
        wanted |= found
    groups = (
        Group(group.name, tuple(role for role in group.roles if role in wanted)) for group in GROUPS
    )
    return [group for group in groups if group.roles]


async def assemble(role: str) -> Role:
    """Assemble one role, its settings read from the environment.

    Raises:
        UnknownRole: there is no such role.
    """
    if role not in ROLES:
        raise UnknownRole(f"there is no role {role!r}; the roles: {' '.join(ROLES)}")
    service, _, name = role.partition(":")
    package = "simulators" if service == "simulators" else f"services.{service}"
    assembled: Role = await importlib.import_module(f"{package}.service").assemble(name)
    return assembled
