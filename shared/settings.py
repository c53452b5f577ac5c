"""Settings every service reads from the environment; nothing secret has a default."""

from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, AliasChoices, BeforeValidator, Field
from pydantic_settings import BaseSettings, SettingsConfigDict

_PLACEHOLDERS = ("change", "secret", "password", "example", "placeholder", "todo", "your", "xxxx")


class PlaceholderSecret(ValueError):
    """A secret that is a placeholder or too short to be one."""


def refuse_weak(secret: str, *, characters: int = 32) -> str:
    """Return the secret if it can be one.

    Raises:
        PlaceholderSecret: it is shorter than asked, a placeholder, or one letter repeated.
    """
    lowered = secret.lower()
    if len(secret) < characters or len(set(secret)) < 8:
        raise PlaceholderSecret("the secret is too short or too simple")
    if any(word in lowered for word in _PLACEHOLDERS):
        raise PlaceholderSecret("the secret is a placeholder")
    return secret


def read_secret(value: Any) -> Any:
    """Return the text of the file when the value names one (`/…` or `file:…`), else the value."""
    if isinstance(value, str) and value.startswith(("/", "file:")):
        return Path(value.removeprefix("file:")).read_text(encoding="utf-8").strip()
    return value


def _no_slash(url: str) -> str:
    return url.rstrip("/")


# Given as the value or as the path of a file that holds it.
Secret = Annotated[str, BeforeValidator(read_secret), AfterValidator(refuse_weak)]
Url = Annotated[str, AfterValidator(_no_slash)]


class Settings(BaseSettings):
    """What every process needs; each service adds its own fields."""

    model_config = SettingsConfigDict(
        frozen=True,
        extra="ignore",
        populate_by_name=True,
        env_ignore_empty=True,
        hide_input_in_errors=True,
    )

    environment: Literal["development", "production"] = Field(
        "production", validation_alias="CTALERT_ENVIRONMENT"
    )
    kafka_bootstrap: str = Field(
        validation_alias=AliasChoices("CTALERT_KAFKA_BOOTSTRAP", "KAFKA_BOOTSTRAP")
    )
    bus_namespace: str = Field("", validation_alias="CTALERT_BUS_NAMESPACE")
    topic_replication: int = Field(1, ge=1, validation_alias="CTALERT_TOPIC_REPLICATION")
    topic_partitions: int = Field(6, ge=1, validation_alias="CTALERT_TOPIC_PARTITIONS")
    keyring: Path = Field(validation_alias="CTALERT_KEYRING")
    host: str = Field("127.0.0.1", validation_alias="CTALERT_HOST")
    health_port: int = Field(0, ge=0, le=65535, validation_alias="CTALERT_HEALTH_PORT")
    trusted_proxies: str = Field("", validation_alias="CTALERT_TRUSTED_PROXIES")
    log_level: Literal["debug", "info", "warning", "error"] = Field(
        "info", validation_alias="CTALERT_LOG_LEVEL"
    )
    log_format: Literal["json", "text"] = Field("json", validation_alias="CTALERT_LOG_FORMAT")
    public_url: Url = Field("http://127.0.0.1:8083", validation_alias="CTALERT_PUBLIC_URL")

    def __repr__(self) -> str:
        """Show no values: database addresses carry passwords."""
        return f"{type(self).__name__}(environment={self.environment!r})"

    __str__ = __repr__
