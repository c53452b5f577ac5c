"""Every setting the services need and nobody gave: databases, roles, keys, simulators."""

import fcntl
import os
import secrets
from collections.abc import Mapping
from pathlib import Path

from ctalert.adopt import Addresses
from ctalert.catalogue import SERVICES
from ctalert.data_folder import open_data_folder
from ctalert.databases import make_databases, role_names, url_for
from ctalert.embedded.account import EmbeddedError
from ctalert.embedded.process import read_record, write_record
from shared.security.keys import make_keyrings


def needs_database(given: Mapping[str, str] = os.environ, *, which: str = "DATABASE_URL") -> bool:
    """Return whether a service's own database URL is missing, so that one has to be made.

    `which` is the kind of URL: DATABASE_URL, or OWNER_DATABASE_URL for migrations.
    """
    return not all(given.get(_variable(service, which)) for service in SERVICES)


def is_development(given: Mapping[str, str] = os.environ) -> bool:
    """Return whether this is a try-out: said so, or not said and the databases are ours to make."""
    stated = given.get("CTALERT_ENVIRONMENT")
    return stated == "development" or (not stated and needs_database(given))


def uses_simulators(given: Mapping[str, str] = os.environ) -> bool:
    """Return whether the simulators stand in for the providers and are ours to run."""
    return is_development(given) and not given.get("CTALERT_TWILIO_BASE_URL")


def keys_folder() -> Path:
    """Return the folder of the embedded default's key rings, made where there are none.

    Raises:
        EmbeddedError: some of the rings are lost.
    """
    folder = open_data_folder() / "keys"
    folder.mkdir(mode=0o700, exist_ok=True)
    with (folder / ".lock").open("w") as door:
        fcntl.flock(door, fcntl.LOCK_EX)
        try:
            make_keyrings(folder)
        except FileExistsError as error:
            raise EmbeddedError(str(error)) from None
    return folder


def provide(addresses: Addresses, given: Mapping[str, str] = os.environ) -> dict[str, str]:
    """Return the whole environment for processes of ours; what is given always wins.

    Makes the databases and roles of services whose URL is not given, and in a try-out the keys
    and the make-believe providers. In production nothing is made up.
    """
    made: dict[str, str] = {}
    if addresses.kafka_bootstrap:
        made["CTALERT_KAFKA_BOOTSTRAP"] = addresses.kafka_bootstrap
    if needs_database(given) and addresses.database_url:
        made |= _provide_databases(addresses.database_url, given)
    if is_development(given):
        made |= _provide_keys() | _provide_snapshots() | _provide_providers(given)
    return made | {name: value for name, value in given.items() if value or name not in made}


def without_owners(environment: Mapping[str, str]) -> dict[str, str]:
    """Return what a role may know: not the superuser's and the migrations' way into databases."""
    hidden = {"DATABASE_URL", *(_variable(service, "OWNER_DATABASE_URL") for service in SERVICES)}
    return {name: value for name, value in environment.items() if name not in hidden}


def _provide_databases(admin_url: str, given: Mapping[str, str]) -> dict[str, str]:
    services = [name for name in SERVICES if not given.get(_variable(name, "DATABASE_URL"))]
    passwords = _remembered(
        {role: secrets.token_urlsafe(32) for service in services for role in role_names(service)}
    )
    databases = {service: f"ctalert_{service}" for service in services}
    make_databases(admin_url, databases, passwords=passwords)
    made = {}
    for service, database in databases.items():
        owner, app = (
            url_for(admin_url, role=role, password=passwords[role], database=database)
            for role in role_names(service)
        )
        made[_variable(service, "OWNER_DATABASE_URL")] = owner
        made[_variable(service, "DATABASE_URL")] = app
    return made


def _provide_keys() -> dict[str, str]:
    folder = keys_folder()
    return {_variable(service, "KEYRING"): str(folder / f"{service}.json") for service in SERVICES}


def _provide_snapshots() -> dict[str, str]:
    folder = open_data_folder() / "snapshots"
    folder.mkdir(mode=0o700, exist_ok=True)
    return {"CTALERT_GEOFENCE_SNAPSHOT_DIR": str(folder)}


def _provide_providers(given: Mapping[str, str]) -> dict[str, str]:
    known = _remembered(
        {"twilio_sid": f"AC{secrets.token_hex(16)}", "twilio_token": secrets.token_hex(24)}
    )
    ledger = open_data_folder() / "simulators"
    ledger.mkdir(mode=0o700, exist_ok=True)
    http = given.get("CTALERT_SIMULATOR_PORT") or "8090"
    smtp = given.get("CTALERT_SIMULATOR_SMTP_PORT") or "8025"
    dispatcher = given.get("CTALERT_DISPATCHER_PORT") or "8083"
    geofence = given.get("CTALERT_GEOFENCE_PORT") or "8082"
    return {
        "CTALERT_ENVIRONMENT": "development",
        "CTALERT_PUBLIC_URL": f"http://127.0.0.1:{dispatcher}",
        "CTALERT_GEOFENCE_URL": f"http://127.0.0.1:{geofence}",
        "CTALERT_DISPATCHER_URL": f"http://127.0.0.1:{dispatcher}",
        "CTALERT_TWILIO_BASE_URL": f"http://127.0.0.1:{http}",
        "CTALERT_TWILIO_ACCOUNT_SID": known["twilio_sid"],
        "CTALERT_TWILIO_AUTH_TOKEN": known["twilio_token"],
        "CTALERT_SMS_FROM": "+18605550100",
        "CTALERT_VOICE_FROM": "+18605550100",
        "CTALERT_SMTP_HOST": "127.0.0.1",
        "CTALERT_SMTP_PORT": smtp,
        "CTALERT_SMTP_TLS": "none",
        "CTALERT_MAIL_FROM": "alerts@example.org",
        "CTALERT_DUTY_CHANNEL": "email",
        "CTALERT_DUTY_ADDRESS": "duty@example.org",
        "CTALERT_SIMULATOR_PORT": http,
        "CTALERT_SIMULATOR_SMTP_PORT": smtp,
        "CTALERT_SIMULATOR_FOLDER": str(ledger),
    }


def _remembered(fresh: dict[str, str]) -> dict[str, str]:
    """Return the secrets of these names as they were first made, made now where they are new."""
    data = open_data_folder()
    file = data / "secrets.json"
    with (data / "secrets.lock").open("w") as door:
        fcntl.flock(door, fcntl.LOCK_EX)
        known = read_record(file)
        if not fresh.keys() <= known.keys():
            known = fresh | known
            write_record(file, known)
    return {name: str(known[name]) for name in fresh}


def _variable(service: str, name: str) -> str:
    return f"CTALERT_{service.upper()}_{name}"
