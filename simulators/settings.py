"""The simulators' settings: ports, the ledger's folder, and the account they pretend to be."""

from pathlib import Path

from pydantic import Field

from shared.settings import Secret, Settings


class SimulatorSettings(Settings):
    """What the simulators read from the environment; they need neither Kafka nor a keyring."""

    kafka_bootstrap: str = Field("", validation_alias="CTALERT_SIMULATOR_UNUSED_KAFKA")
    keyring: Path = Field(Path(), validation_alias="CTALERT_SIMULATOR_UNUSED_KEYRING")
    port: int = Field(8090, ge=0, le=65535, validation_alias="CTALERT_SIMULATOR_PORT")
    smtp_port: int = Field(8025, ge=0, le=65535, validation_alias="CTALERT_SIMULATOR_SMTP_PORT")
    folder: Path = Field(validation_alias="CTALERT_SIMULATOR_FOLDER")
    account_sid: str = Field(min_length=2, validation_alias="CTALERT_TWILIO_ACCOUNT_SID")
    auth_token: Secret = Field(validation_alias="CTALERT_TWILIO_AUTH_TOKEN")
    receipt_delay_ms: int = Field(200, ge=0, validation_alias="CTALERT_SIMULATOR_RECEIPT_DELAY_MS")
