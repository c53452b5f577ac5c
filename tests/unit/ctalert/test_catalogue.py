"""Which roles there are, which share a process, and what `run` makes of names."""

import importlib

import pytest

from ctalert.catalogue import GROUPS, PORTS, ROLES, SERVICES, UnknownRole, choose_groups
from services.dispatcher.settings import DispatcherSettings
from services.geofence.settings import GeofenceSettings
from services.subscriber.settings import SubscriberSettings
from shared.settings import Settings
from simulators.settings import SimulatorSettings


def test_every_role_has_one_process() -> None:
    """No role is forgotten by `run all`, none runs twice."""
    assert sorted(role for group in GROUPS for role in group.roles) == sorted(ROLES)


@pytest.mark.parametrize("service", [*SERVICES, "simulators"])
def test_catalogue_lists_what_the_service_offers(service: str) -> None:
    """The static list and the assemblies agree."""
    package = service if service == "simulators" else f"services.{service}"
    offered = importlib.import_module(f"{package}.service").ROLES
    listed = [role.partition(":")[2] for role in ROLES if role.startswith(f"{service}:")]
    assert sorted(offered) == sorted(listed)


@pytest.mark.parametrize(
    ("role", "settings"),
    [
        ("subscriber:api", SubscriberSettings),
        ("geofence:replica", GeofenceSettings),
        ("dispatcher:api", DispatcherSettings),
        ("simulators:all", SimulatorSettings),
    ],
)
def test_ports_are_those_of_the_settings(role: str, settings: type[Settings]) -> None:
    """Each port a role listens on is listed, with the default it has there."""
    fields = {
        str(field.validation_alias): field.default
        for name, field in settings.model_fields.items()
        if name == "port" or (name == "smtp_port" and settings is SimulatorSettings)
    }
    assert PORTS[role] == fields


def test_all_leaves_the_simulators_out_where_providers_are_real() -> None:
    """Only a try-out runs the simulators."""
    with_them = {group.name for group in choose_groups(["all"], simulators=True)}
    without = {group.name for group in choose_groups(["all"], simulators=False)}
    assert with_them - without == {"simulators"}


def test_a_service_keeps_its_processes_apart() -> None:
    """A slow voice call never shares a process with a text, also when one service runs alone."""
    groups = {group.name: group.roles for group in choose_groups(["dispatcher"], simulators=False)}
    assert groups["sms"] == ("dispatcher:sms",)
    assert "subscriber:api" not in groups["apis"]


def test_single_roles_may_be_named_together() -> None:
    """Two roles of one process stay together."""
    (group,) = choose_groups(["dispatcher:relay", "subscriber:relay"], simulators=False)
    assert set(group.roles) == {"dispatcher:relay", "subscriber:relay"}


@pytest.mark.parametrize("name", ["dispatch", "dispatcher:", "sms", ""])
def test_an_unknown_name_is_refused(name: str) -> None:
    """A misspelt role runs nothing."""
    with pytest.raises(UnknownRole):
        choose_groups(["dispatcher:sms", name], simulators=False)
