"""What the geofence service reads from the environment."""

from pathlib import Path

from pydantic import Field

from shared.settings import Settings


class GeofenceSettings(Settings):
    """The common settings with the geofence's own database, keys and port."""

    keyring: Path = Field(validation_alias="CTALERT_GEOFENCE_KEYRING")
    database_url: str = Field(repr=False, validation_alias="CTALERT_GEOFENCE_DATABASE_URL")
    owner_database_url: str | None = Field(
        None, repr=False, validation_alias="CTALERT_GEOFENCE_OWNER_DATABASE_URL"
    )
    port: int = Field(8082, ge=0, le=65535, validation_alias="CTALERT_GEOFENCE_PORT")
