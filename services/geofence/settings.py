"""What the geofence service reads from the environment."""

from pathlib import Path

from pydantic import Field

from shared.settings import Settings, Url


class GeofenceSettings(Settings):
    """The common settings with the geofence's own database, keys and port."""

    keyring: Path = Field(validation_alias="CTALERT_GEOFENCE_KEYRING")
    database_url: str = Field(repr=False, validation_alias="CTALERT_GEOFENCE_DATABASE_URL")
    owner_database_url: str | None = Field(
        None, repr=False, validation_alias="CTALERT_GEOFENCE_OWNER_DATABASE_URL"
    )
    port: int = Field(8082, ge=0, le=65535, validation_alias="CTALERT_GEOFENCE_PORT")
    # Ten a second by one person is a map being drawn on; more is a program counting houses.
    previews_a_minute: int = Field(600, ge=1, validation_alias="CTALERT_GEOFENCE_PREVIEWS_A_MINUTE")
    # How long a test that a number of a 9-1-1 centre rings straight through counts.
    ring_through_days: int = Field(
        365, ge=1, le=3660, validation_alias="CTALERT_GEOFENCE_RING_THROUGH_DAYS"
    )
    # Who a partner is, the dispatcher knows; without it the geofence serves everybody else.
    dispatcher_url: Url = Field("http://127.0.0.1:8083", validation_alias="CTALERT_DISPATCHER_URL")
    dispatcher_timeout_s: float = Field(3.0, gt=0, validation_alias="CTALERT_DISPATCHER_TIMEOUT_S")
    # Keys that are nobody's, from one network: a typing error is a few, more is a guesser.
    refused_keys_a_minute: int = Field(
        60, ge=1, validation_alias="CTALERT_GEOFENCE_REFUSED_KEYS_A_MINUTE"
    )
    # Areas worked on at a time, each in a process of its own; the last is kept for approvals.
    area_processes: int = Field(3, ge=2, le=64, validation_alias="CTALERT_GEOFENCE_AREA_PROCESSES")
    # Without one, every start builds the index from the tables.
    snapshot_dir: Path | None = Field(None, validation_alias="CTALERT_GEOFENCE_SNAPSHOT_DIR")
