"""The environment, read once into one frozen object. Every field stands in docs/settings.md; a test sees to it."""

from functools import cache
from os import environ
from pathlib import Path
from typing import Literal

from pydantic import Field, SecretStr, ValidationError
from pydantic_settings import BaseSettings, PydanticBaseSettingsSource, SettingsConfigDict

from lib.errors import SetUpError

ROOT = Path(__file__).parent.parent


class Settings(BaseSettings):
    model_config = SettingsConfigDict(frozen=True, extra="ignore", env_ignore_empty=True)

    env: Literal["development", "production"] = Field("development", validation_alias="CHAIRSIDE_ENV")
    data: Path = Field(ROOT / ".data", validation_alias="CHAIRSIDE_DATA")
    signup: Literal["open", "first", "closed"] | None = Field(None, validation_alias="CHAIRSIDE_SIGNUP")
    database_url: SecretStr | None = Field(None, validation_alias="DATABASE_URL")
    database_owner_url: SecretStr | None = Field(None, validation_alias="DATABASE_OWNER_URL")
    jwt_secret: SecretStr | None = Field(None, validation_alias="JWT_SECRET")
    bcrypt_rounds: int = Field(12, ge=12, le=16, validation_alias="CHAIRSIDE_BCRYPT_ROUNDS")
    tls: bool = Field(False, validation_alias="CHAIRSIDE_TLS")
    pool_size: int = Field(5, ge=1, le=100, validation_alias="CHAIRSIDE_POOL_SIZE")

    @property
    def production(self) -> bool:
        return self.env == "production"

    @property
    def sign_up(self) -> str:
        return self.signup or ("first" if self.production else "open")

    @classmethod
    def settings_customise_sources(
        cls, settings_cls: type[BaseSettings], init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource, dotenv_settings: PydanticBaseSettingsSource,
        file_secret_settings: PydanticBaseSettingsSource,
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        return init_settings, env_settings, MountedSecrets(settings_cls)


class MountedSecrets(PydanticBaseSettingsSource):
    """`NAME_FILE` names a file that holds the value of `NAME`, the way orchestrators mount secrets."""

    def get_field_value(self, field: object, field_name: str) -> tuple[object, str, bool]:
        raise NotImplementedError("the whole source is read at once")

    def __call__(self) -> dict[str, object]:
        names = [str(field.validation_alias) for field in self.settings_cls.model_fields.values()]
        return {name: mounted(name) for name in names if mounted(name)}


def mounted(name: str) -> str | None:
    path = environ.get(f"{name}_FILE")
    return Path(path).read_text().strip() if path else None


@cache
def get() -> Settings:
    try:
        settings = Settings()
    except ValidationError as error:
        wrong = "; ".join(f"{item['loc'][0]}: {item['msg']}" for item in error.errors())
        raise SetUpError(f"Chairside can't start with these settings. {wrong}") from None
    except OSError as error:
        raise SetUpError(f"A mounted secret can't be read: {error.filename}") from None
    _check(settings)
    return settings


def owner_url() -> str | None:
    """For the operator's commands, which a production app's own rules do not bind."""
    return environ.get("DATABASE_OWNER_URL") or mounted("DATABASE_OWNER_URL")


def _check(settings: Settings) -> None:
    if not settings.production:
        return
    secret = settings.jwt_secret.get_secret_value() if settings.jwt_secret else ""
    if len(secret) < 32:
        raise SetUpError("JWT_SECRET must be set to at least 32 random characters in production.")
    if settings.database_owner_url:
        raise SetUpError("DATABASE_OWNER_URL must not be given to a production app: it may bypass the clinic walls. "
                         "Run `make migrate` with it instead.")
