"""What is made up where nobody gave it, and that nothing is made up in production."""

from pathlib import Path

import pytest

from ctalert.adopt import Addresses
from ctalert.databases import other_database, url_for
from ctalert.embedded.account import EmbeddedError
from ctalert.provision import (
    is_development,
    keys_folder,
    needs_database,
    provide,
    uses_simulators,
    without_owners,
)

GIVEN = {
    f"CTALERT_{service}_DATABASE_URL": f"postgresql+asyncpg://{service}"
    for service in ("SUBSCRIBER", "GEOFENCE", "DISPATCHER")
}


def test_nothing_given_is_a_try_out() -> None:
    """An empty environment means the embedded default and the simulators."""
    assert needs_database({})
    assert is_development({})
    assert uses_simulators({})


def test_given_databases_are_no_try_out() -> None:
    """Whoever names every database says what production is by themselves."""
    assert not needs_database(GIVEN)
    assert not is_development(GIVEN)


def test_one_lacking_database_has_to_be_made() -> None:
    """Two of three are not enough."""
    assert needs_database({**GIVEN, "CTALERT_GEOFENCE_DATABASE_URL": ""})


def test_production_is_never_given_keys_or_make_believe_providers() -> None:
    """No secret has a default."""
    given = {**GIVEN, "CTALERT_ENVIRONMENT": "production"}
    made = provide(Addresses(None, "kafka:9092"), given)
    assert made == {**given, "CTALERT_KAFKA_BOOTSTRAP": "kafka:9092"}


@pytest.mark.parametrize("stated", ["production", "staging"])
def test_stated_environments_win(stated: str) -> None:
    """Only `development` is a try-out."""
    assert not uses_simulators({"CTALERT_ENVIRONMENT": stated})


def test_real_providers_leave_no_room_for_simulators() -> None:
    """A given base URL is not replaced and no simulator is run."""
    given = {"CTALERT_TWILIO_BASE_URL": "http://simulators:8090"}
    assert is_development(given)
    assert not uses_simulators(given)


def test_urls_keep_the_place_and_change_the_rest() -> None:
    """Role, password and database change; host, port and parameters stay."""
    admin = "postgresql://postgres:old@db.example:6432/postgres?sslmode=require"
    url = url_for(admin, role="geofence_app", password="new", database="g")
    assert url == "postgresql+asyncpg://geofence_app:new@db.example:6432/g?sslmode=require"
    assert other_database(url, "h").startswith("postgresql://geofence_app:new@db.example:6432/h?")


def test_roles_never_learn_the_owners_way_in() -> None:
    """Row security binds the application's role, so that is the only one a role can be."""
    known = without_owners(
        {**GIVEN, "DATABASE_URL": "x", "CTALERT_GEOFENCE_OWNER_DATABASE_URL": "y", "PATH": "/bin"}
    )
    assert known == {**GIVEN, "PATH": "/bin"}


def test_a_key_ring_that_was_lost_is_a_sentence(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """New ones would not open what the old ones sealed, so a person has to say."""
    monkeypatch.setenv("CTALERT_DATA", str(tmp_path / "data"))
    (keys_folder() / "geofence.json").unlink()
    with pytest.raises(EmbeddedError, match="only some keyrings are in"):
        keys_folder()
