"""Names, commands, ports and settings of the image, compose and Kubernetes exist in the code."""

import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml
from pydantic import AliasChoices

from ctalert.catalogue import ROLES
from services.dispatcher.settings import DispatcherSettings
from services.geofence.settings import GeofenceSettings
from services.subscriber.settings import SubscriberSettings
from shared.settings import Settings
from simulators.settings import SimulatorSettings

CHECKOUT = Path(__file__).parents[2]
BASE = CHECKOUT / "deploy" / "k8s" / "base"
COMPOSE = yaml.safe_load((CHECKOUT / "docker-compose.yml").read_text())
SETTINGS = (Settings, SubscriberSettings, GeofenceSettings, DispatcherSettings, SimulatorSettings)
SERVICE_ROLES = [role for role in ROLES if not role.startswith("simulators:")]
APIS = {
    "subscriber:api": SubscriberSettings,
    "geofence:replica": GeofenceSettings,
    "dispatcher:api": DispatcherSettings,
}
# Read by the front door before any settings class exists.
FRONT_DOOR = {"DATABASE_URL", "CTALERT_DATA"}


def known_variables() -> set[str]:
    """Return every environment variable that some settings class reads."""
    names = set(FRONT_DOOR)
    for settings in SETTINGS:
        for field in settings.model_fields.values():
            alias = field.validation_alias
            choices = alias.choices if isinstance(alias, AliasChoices) else [alias]
            names.update(str(choice) for choice in choices if choice)
    return names


def documents() -> Iterator[dict[str, Any]]:
    """Yield every Kubernetes object of the base."""
    listed = yaml.safe_load((BASE / "kustomization.yaml").read_text())["resources"]
    assert sorted(listed) == sorted(
        path.name for path in BASE.glob("*.yaml") if path.name != "kustomization.yaml"
    )
    for name in listed:
        yield from yaml.safe_load_all((BASE / name).read_text())


OBJECTS = list(documents())
DEPLOYMENTS = {o["metadata"]["name"]: o for o in OBJECTS if o["kind"] == "Deployment"}


def test_compose_follows_the_schema() -> None:
    """The compose file is valid against the specification's own schema."""
    command = [sys.executable, "-m", "check_jsonschema", "--builtin-schema",
               "vendor.compose-spec", str(CHECKOUT / "docker-compose.yml")]  # fmt: skip
    checked = subprocess.run(command, capture_output=True, text=True, check=False)
    assert checked.returncode == 0, checked.stdout


def test_compose_runs_one_container_a_role() -> None:
    """Each role of the catalogue has one container, started by its own name."""
    commands = [
        container["command"][1]
        for container in COMPOSE["services"].values()
        if container.get("command", [None])[0] == "run"
    ]
    assert sorted(commands) == sorted(ROLES)


def test_compose_sets_only_what_the_code_reads() -> None:
    """No container is given a setting that nothing reads."""
    ours = [c for c in COMPOSE["services"].values() if c["image"] == "ct-alert"]
    given = {name for container in ours for name in container.get("environment", {})}
    assert given
    assert given <= known_variables()


@pytest.mark.parametrize("role", sorted(APIS))
def test_compose_publishes_the_ports_of_the_settings(role: str) -> None:
    """The published port of an API is the one its settings default to."""
    container = COMPOSE["services"][role.replace(":", "-")]
    port = APIS[role].model_fields["port"].default
    assert container["ports"] == [f"127.0.0.1:{port}:{port}"]


def test_kubernetes_has_one_deployment_a_role() -> None:
    """Each role of the services is one Deployment that runs just it."""
    runs = {
        name: deployment["spec"]["template"]["spec"]["containers"][0]["args"]
        for name, deployment in DEPLOYMENTS.items()
    }
    assert runs == {role.replace(":", "-"): ["run-roles", role] for role in SERVICE_ROLES}


@pytest.mark.parametrize("name", sorted(DEPLOYMENTS))
def test_a_deployment_is_probed_and_confined(name: str) -> None:
    """Probes ask the management port that the config sets; the container can write nothing."""
    container = DEPLOYMENTS[name]["spec"]["template"]["spec"]["containers"][0]
    ports = {port["name"]: port["containerPort"] for port in container["ports"]}
    config = next(o for o in OBJECTS if o["kind"] == "ConfigMap")["data"]
    assert ports["management"] == int(config["CTALERT_HEALTH_PORT"])
    probes = {
        kind: container[kind]["httpGet"]
        for kind in ("startupProbe", "livenessProbe", "readinessProbe")
    }
    assert {probe["port"] for probe in probes.values()} == {"management"}
    assert probes["livenessProbe"]["path"] == "/livez"
    assert probes["readinessProbe"]["path"] == "/readyz"
    assert container["securityContext"]["readOnlyRootFilesystem"] is True
    for port_name, port in ports.items():
        if port_name == "http":
            assert port == int(config[f"CTALERT_{name.split('-')[0].upper()}_PORT"])


def test_kubernetes_sets_only_what_the_code_reads() -> None:
    """Config and environment hold settings that some settings class reads."""
    config = next(o for o in OBJECTS if o["kind"] == "ConfigMap")["data"]
    named = {
        variable["name"]
        for deployment in DEPLOYMENTS.values()
        for variable in deployment["spec"]["template"]["spec"]["containers"][0]["env"]
    }
    assert set(config) | named <= known_variables()


def test_kubernetes_services_reach_the_apis() -> None:
    """Each API has a Service on its port that selects its Deployment."""
    services = {o["metadata"]["name"]: o["spec"] for o in OBJECTS if o["kind"] == "Service"}
    for role, settings in APIS.items():
        service = services[role.split(":")[0]]
        assert service["selector"] == {"app.kubernetes.io/name": role.replace(":", "-")}
        assert service["ports"][0]["port"] == settings.model_fields["port"].default


def test_the_migrate_job_and_the_image_call_the_front_door() -> None:
    """The image starts the front door, and the Job calls a command that it has."""
    from ctalert.cli import COMMANDS

    job = next(o for o in OBJECTS if o["kind"] == "Job")
    container = job["spec"]["template"]["spec"]["containers"][0]
    assert container["args"][0] in COMMANDS
    dockerfile = (CHECKOUT / "Dockerfile").read_text()
    assert 'ENTRYPOINT ["python", "-m", "ctalert"]' in dockerfile
    for folder in re.findall(r"^COPY (\w+) \w+$", dockerfile, re.MULTILINE):
        assert (CHECKOUT / folder / "__init__.py").exists()
