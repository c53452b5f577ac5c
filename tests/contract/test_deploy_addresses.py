"""Every address in the image, compose and Kubernetes is one where somebody listens."""

import re
import subprocess
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest
import yaml
from pydantic import AliasChoices
from starlette.routing import Route

from ctalert.catalogue import ROLES
from ctalert.cli import COMMANDS
from services.dispatcher.settings import DispatcherSettings
from services.geofence.settings import GeofenceSettings
from services.subscriber.settings import SubscriberSettings
from shared.settings import Settings
from shared.watch.management import management_app
from simulators.settings import SimulatorSettings

CHECKOUT = Path(__file__).parents[2]
BASE = CHECKOUT / "deploy" / "k8s" / "base"
CONTAINERS = yaml.safe_load((CHECKOUT / "docker-compose.yml").read_text())["services"]
OURS = {name: one for name, one in CONTAINERS.items() if one["image"] == "ct-alert"}
# A container of a role is told apart by what it runs; migrate and volume listen on nothing.
RUN = {one["command"][1]: name for name, one in OURS.items() if "run" in one.get("command", [])}
DOCKERFILE = (CHECKOUT / "Dockerfile").read_text()
COPIES = re.findall(r"^COPY (\w+) (\w+)$", DOCKERFILE, re.MULTILINE)
OBJECTS = [one for file in BASE.glob("*.yaml") for one in yaml.safe_load_all(file.read_text())]
CONFIG = next(one for one in OBJECTS if one["kind"] == "ConfigMap")["data"]
DEPLOYMENTS = {one["metadata"]["name"]: one for one in OBJECTS if one["kind"] == "Deployment"}
K8S_SERVICES = {one["metadata"]["name"]: one["spec"] for one in OBJECTS if one["kind"] == "Service"}
PROBES = ("startupProbe", "livenessProbe", "readinessProbe")
HEALTH_PATHS = ("/livez", "/readyz")

# The ports a role takes, as fields of its settings; every role has the management port beside.
TAKES: dict[str, tuple[type[Settings], tuple[str, ...]]] = {
    "subscriber:api": (SubscriberSettings, ("port",)),
    "geofence:replica": (GeofenceSettings, ("port",)),
    "dispatcher:api": (DispatcherSettings, ("port",)),
    "simulators:all": (SimulatorSettings, ("port", "smtp_port")),
}
# Whom an address is meant for: a role and the field of its port, or a server and its port.
MEANT: dict[str, tuple[str, str | int]] = {
    "DATABASE_URL": ("postgres", 5432),
    "KAFKA_BOOTSTRAP": ("kafka", 9092),
    "CTALERT_GEOFENCE_URL": ("geofence:replica", "port"),
    "CTALERT_DISPATCHER_URL": ("dispatcher:api", "port"),
    "CTALERT_PUBLIC_URL": ("dispatcher:api", "port"),
    "CTALERT_TWILIO_BASE_URL": ("simulators:all", "port"),
    "CTALERT_SMTP_HOST": ("simulators:all", "smtp_port"),
}
# What Kubernetes does not run itself: the site's own Kafka, and the address people see.
OUTSIDE = {"CTALERT_KAFKA_BOOTSTRAP", "CTALERT_PUBLIC_URL"}
SCHEME_PORTS = {"http": 80, "https": 443, "postgresql": 5432}


def read_port(settings: type[Settings], field: str, environment: Mapping[str, str]) -> int:
    """Return what the settings would read from this environment for a port."""
    described = settings.model_fields[field]
    alias = described.validation_alias
    names = alias.choices if isinstance(alias, AliasChoices) else [alias]
    given = [environment[str(name)] for name in names if environment.get(str(name))]
    return int(given[0] if given else described.default)


def addresses(value: str) -> Iterator[tuple[str, int]]:
    """Yield the hosts and ports that a value names: URLs, and HOST:PORT, divided by commas."""
    for part in re.sub(r"\$\{[^}]*\}", "x", value).split(","):
        scheme, mark, rest = part.rpartition("://")
        host, _, port = re.split(r"[/?#]", rest.rpartition("@")[2])[0].partition(":")
        if host and port.isdigit():
            yield host, int(port)
        elif host and mark:
            assert not port, f"{value} has no number for a port"
            yield host, SCHEME_PORTS[scheme]


def names_an_address(variable: str) -> bool:
    """Return whether a variable is one that others are reached by."""
    return variable.endswith(("_URL", "_BOOTSTRAP")) or is_host(variable)


def is_host(variable: str) -> bool:
    """Return whether a variable is half an address, its port in a variable beside it."""
    return variable.endswith("_HOST") and variable != "CTALERT_HOST"  # that one is our own


def given_address(variable: str, environment: Mapping[str, str]) -> tuple[str, int]:
    """Return the one host and port that a process with this environment would call."""
    value = environment[variable]
    if is_host(variable):
        field = variable.removeprefix("CTALERT_").lower().replace("_host", "_port")
        return value, read_port(DispatcherSettings, field, environment)
    (address,) = addresses(value)
    return address


def listens(name: str) -> set[int]:
    """Return the ports that a container of ours can be reached on from another one."""
    environment = OURS[name]["environment"]
    assert environment["CTALERT_HOST"] == "0.0.0.0"  # noqa: S104
    settings, fields = TAKES.get(OURS[name]["command"][1], (Settings, ()))
    taken = {read_port(settings, field, environment) for field in fields}
    return taken | {read_port(Settings, "health_port", environment)}


def server_ports() -> dict[str, set[int]]:
    """Return the ports that the servers of compose listen on."""
    listeners = CONTAINERS["kafka"]["environment"]["KAFKA_LISTENERS"]
    assert "PGPORT" not in CONTAINERS["postgres"]["environment"]
    return {"postgres": {5432}, "kafka": {int(one) for one in re.findall(r":(\d+)", listeners)}}


@pytest.mark.parametrize("name", sorted(OURS))
def test_compose_gives_addresses_where_somebody_listens(name: str) -> None:
    """Each leads to the container that is meant, on the port its settings read there."""
    environment = OURS[name].get("environment", {})
    named = {variable for variable in environment if names_an_address(variable)}
    assert named <= set(MEANT)
    assert {v for v, value in environment.items() if list(addresses(value))} <= named
    for variable in named:
        whom, which = MEANT[variable]
        if isinstance(which, int):
            assert which in server_ports()[whom]
            assert given_address(variable, environment) == (whom, which)
            continue
        other = OURS[RUN[whom]]["environment"]
        port = read_port(TAKES[whom][0], which, other)
        assert given_address(variable, environment) == (RUN[whom], port)
        assert port in listens(RUN[whom])


def test_every_container_of_a_role_is_given_every_address() -> None:
    """None is left to a default, which is an address of this machine or a real provider's."""
    for name in RUN.values():
        assert set(MEANT) <= set(OURS[name]["environment"])


def test_the_servers_of_compose_name_themselves() -> None:
    """What Kafka tells its clients is its own container, on ports that it opens."""
    for name, ports in server_ports().items():
        container = CONTAINERS[name]
        for value in container["environment"].values():
            assert {host for host, _ in addresses(value)} <= {name}
            assert {port for _, port in addresses(value)} <= ports
        asked = re.findall(r"([\w.-]+):(\d+)", container["healthcheck"]["test"][1])
        assert {host for host, _ in asked} <= {"localhost"}
        assert {int(port) for _, port in asked} <= ports
    kafka = CONTAINERS["kafka"]
    assert list(addresses(kafka["environment"]["KAFKA_ADVERTISED_LISTENERS"])) == [("kafka", 9092)]
    assert "localhost:9092" in kafka["healthcheck"]["test"][1]


@pytest.mark.parametrize("name", sorted(RUN.values()))
def test_compose_asks_the_management_port_for_health(name: str) -> None:
    """A container is healthy when its own process says so."""
    container = OURS[name]
    (url,) = re.findall(r"'(http://[^']*)'", container["healthcheck"]["test"][-1])
    port = read_port(Settings, "health_port", container["environment"])
    assert url in {f"http://127.0.0.1:{port}{path}" for path in HEALTH_PATHS}
    assert not container["healthcheck"].get("disable")


def test_the_management_port_answers_what_is_asked() -> None:
    """The paths of health checks and probes are routes of the code."""
    routes = {route.path for route in management_app([]).routes if isinstance(route, Route)}
    assert set(HEALTH_PATHS) <= routes


@pytest.mark.parametrize("role", sorted(ROLES))
def test_compose_publishes_just_what_a_role_takes(role: str) -> None:
    """On this machine only, and under the same number."""
    container = OURS[RUN[role]]
    settings, fields = TAKES.get(role, (Settings, ()))
    ports = [read_port(settings, field, container["environment"]) for field in fields]
    assert container.get("ports", []) == [f"127.0.0.1:{port}:{port}" for port in ports]


def test_the_image_exposes_the_ports_of_the_services() -> None:
    """Those of the APIs by default, and the management port both deployments set."""
    (line,) = re.findall(r"^EXPOSE (.+)$", DOCKERFILE, re.MULTILINE)
    health = {read_port(Settings, "health_port", OURS[one]["environment"]) for one in RUN.values()}
    assert health == {read_port(Settings, "health_port", CONFIG)}
    apis = {read_port(TAKES[role][0], "port", {}) for role in TAKES if role != "simulators:all"}
    assert {int(port) for port in line.split()} == apis | health


def test_the_image_holds_every_module_that_a_command_or_a_role_is_made_of(tmp_path: Path) -> None:
    """All of them are imported from nothing but the folders that the image copies."""
    sent = (CHECKOUT / ".dockerignore").read_text().splitlines()
    for source, target in COPIES:
        assert f"!{source}" in sent
        (tmp_path / target).symlink_to(CHECKOUT / source)
    services = {role.partition(":")[0] for role in ROLES}
    modules = {"ctalert.__main__", *(command.module for command in COMMANDS.values())}
    modules |= {
        "simulators.service" if name == "simulators" else f"services.{name}.service"
        for name in services
    }
    code = "import importlib, sys; sys.path.insert(0, sys.argv[1])\n"
    code += "for name in sys.argv[2:]: importlib.import_module(name)"
    done = subprocess.run(
        [sys.executable, "-I", "-c", code, str(tmp_path), *sorted(modules)],
        cwd=tmp_path, capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr


def container_of(deployment: Mapping[str, Any]) -> dict[str, Any]:
    """Return the one container of a Deployment."""
    (container,) = deployment["spec"]["template"]["spec"]["containers"]
    return dict(container)


@pytest.mark.parametrize("name", sorted(DEPLOYMENTS))
def test_a_deployment_opens_and_probes_what_its_role_takes(name: str) -> None:
    """Named ports are the settings', and probes ask a path of the management port."""
    container = container_of(DEPLOYMENTS[name])
    role = container["args"][1]
    settings, fields = TAKES.get(role, (Settings, ()))
    ports = [("http", read_port(settings, field, CONFIG)) for field in fields]
    ports.append(("management", read_port(Settings, "health_port", CONFIG)))
    assert [(port["name"], port["containerPort"]) for port in container["ports"]] == ports
    for probe in PROBES:
        asked = container[probe]["httpGet"]
        assert (asked["port"], asked["path"] in HEALTH_PATHS) == ("management", True)
    assert CONFIG["CTALERT_HOST"] == "0.0.0.0"  # noqa: S104


def test_kubernetes_services_lead_to_an_open_port() -> None:
    """The port behind each Service is the one its role listens on."""
    for service in K8S_SERVICES.values():
        name = service["selector"]["app.kubernetes.io/name"]
        labels = DEPLOYMENTS[name]["spec"]["template"]["metadata"]["labels"]
        assert labels["app.kubernetes.io/name"] == name
        container = container_of(DEPLOYMENTS[name])
        open_ports = {port["name"]: port["containerPort"] for port in container["ports"]}
        settings, _ = TAKES[container["args"][1]]
        for port in service["ports"]:
            assert open_ports[port["targetPort"]] == read_port(settings, "port", CONFIG)


@pytest.mark.parametrize("name", sorted(DEPLOYMENTS))
def test_kubernetes_gives_addresses_where_somebody_listens(name: str) -> None:
    """Each leads to the Service of the role that is meant, but for what others run."""
    own = container_of(DEPLOYMENTS[name])["env"]
    given: dict[str, str] = CONFIG | {one["name"]: one["value"] for one in own if "value" in one}
    named = {variable for variable in given if names_an_address(variable)}
    named |= {variable for variable, value in given.items() if list(addresses(value))}
    assert named == OUTSIDE | {"CTALERT_GEOFENCE_URL", "CTALERT_DISPATCHER_URL"}
    for variable in named:
        host, port = given_address(variable, given)
        if variable not in OUTSIDE:
            label = MEANT[variable][0].replace(":", "-")
            assert K8S_SERVICES[host]["selector"] == {"app.kubernetes.io/name": label}
            assert port in {one["port"] for one in K8S_SERVICES[host]["ports"]}
