"""The environment, read once into one frozen object. Every field stands in docs/settings.md; a test sees to it."""

import re
from functools import cache
from os import environ
from pathlib import Path
from typing import Annotated, Literal
from urllib.parse import urlsplit

from pydantic import BeforeValidator, Field, IPvAnyNetwork, SecretStr, ValidationError
from pydantic_settings import BaseSettings, NoDecode, PydanticBaseSettingsSource, SettingsConfigDict
from zxcvbn import zxcvbn

from lib.errors import SetUpError

ROOT = Path(__file__).parent.parent
PLACEHOLDER = re.compile(r"change.?me|your.?(jwt.?)?secret|default.?secret|insecure|replace.?(me|this)", re.IGNORECASE)
KEY = re.compile(r"[!-~]+")  # what an HTTP header can carry, without blanks
THIS_MACHINE = ("localhost", "127.0.0.1", "[::1]")


def _listed(value: object) -> object:
    return [part.strip() for part in value.split(",") if part.strip()] if isinstance(value, str) else value


def _keys(setting: SecretStr | None) -> list[str]:
    return [key.strip() for key in setting.get_secret_value().split(",")] if setting else []


def _key(value: object) -> object:
    """Without the line break that a copied line ends in; what no header can carry is refused before anybody is asked."""
    key = value.strip() if isinstance(value, str) else value
    if isinstance(key, str) and not KEY.fullmatch(key):
        raise ValueError("A key has plain letters, digits and signs only, without blanks.")
    return key


Key = Annotated[SecretStr, BeforeValidator(_key)]
Origin = Annotated[str, Field(pattern=r"^https?://[^/*]+$")]


class Settings(BaseSettings):
    model_config = SettingsConfigDict(frozen=True, extra="ignore", env_ignore_empty=True)

    env: Literal["development", "production"] = Field("development", validation_alias="CHAIRSIDE_ENV")
    data: Path = Field(ROOT / ".data", validation_alias="CHAIRSIDE_DATA")
    signup: Literal["open", "first", "closed"] | None = Field(None, validation_alias="CHAIRSIDE_SIGNUP")
    database_url: SecretStr | None = Field(None, validation_alias="DATABASE_URL")
    database_owner_url: SecretStr | None = Field(None, validation_alias="DATABASE_OWNER_URL")
    database_worker_url: SecretStr | None = Field(None, validation_alias="DATABASE_WORKER_URL")
    database_replica_url: SecretStr | None = Field(None, validation_alias="DATABASE_REPLICA_URL")
    database_replica_lag: int = Field(30, ge=1, le=3600, validation_alias="DATABASE_REPLICA_LAG")
    worker: bool = Field(True, validation_alias="CHAIRSIDE_WORKER")
    worker_jobs: int = Field(4, ge=1, le=32, validation_alias="CHAIRSIDE_WORKER_JOBS")
    workers: int = Field(1, ge=1, le=20, validation_alias="CHAIRSIDE_WORKERS")
    worker_timeout: int = Field(60, ge=2, le=120, validation_alias="CHAIRSIDE_WORKER_TIMEOUT")
    url: str | None = Field(None, pattern=r"^https?://[^/]+$", validation_alias="CHAIRSIDE_URL")
    jwt_secret: SecretStr | None = Field(None, validation_alias="JWT_SECRET")
    jwt_secret_previous: SecretStr | None = Field(None, validation_alias="JWT_SECRET_PREVIOUS")
    encryption_keys: SecretStr | None = Field(None, validation_alias="CHAIRSIDE_ENCRYPTION_KEYS")
    backups: Path = Field(ROOT / ".backups", validation_alias="CHAIRSIDE_BACKUPS")
    backup_keys: SecretStr | None = Field(None, validation_alias="CHAIRSIDE_BACKUP_KEYS")
    database_backup_url: SecretStr | None = Field(None, validation_alias="DATABASE_BACKUP_URL")
    smtp_url: SecretStr | None = Field(None, validation_alias="SMTP_URL")
    mail_from: str | None = Field(None, validation_alias="CHAIRSIDE_MAIL_FROM")
    bcrypt_rounds: int = Field(12, ge=12, le=16, validation_alias="CHAIRSIDE_BCRYPT_ROUNDS")
    tls: bool = Field(False, validation_alias="CHAIRSIDE_TLS")
    pool_size: int = Field(5, ge=1, le=100, validation_alias="CHAIRSIDE_POOL_SIZE")
    hosts: Annotated[tuple[str, ...], NoDecode, BeforeValidator(_listed)] = Field((), validation_alias="CHAIRSIDE_HOSTS")
    frontend_url: Annotated[tuple[Origin, ...], NoDecode, BeforeValidator(_listed)] = Field(
        (), validation_alias="FRONTEND_URL")
    trusted_proxies: Annotated[tuple[IPvAnyNetwork, ...], NoDecode, BeforeValidator(_listed)] = Field(
        (), validation_alias="CHAIRSIDE_TRUSTED_PROXIES")
    openrouter_api_key: Key | None = Field(None, validation_alias="OPENROUTER_API_KEY")
    ai_base_url: str | None = Field(None, pattern=r"^https?://[^/?#]+(/[^?#]*)?$", validation_alias="AI_BASE_URL")
    ai_api_key: Key | None = Field(None, validation_alias="AI_API_KEY")
    ai_model: str | None = Field(None, min_length=1, validation_alias="AI_MODEL")
    ai_allowed_hosts: Annotated[tuple[str, ...], NoDecode, BeforeValidator(_listed)] = Field(
        (), validation_alias="AI_ALLOWED_HOSTS")
    ai_installation_budget: float = Field(1000.0, gt=0, validation_alias="AI_INSTALLATION_BUDGET")
    ai_service_url: str | None = Field(None, pattern=r"^https?://[^/?#]+$", validation_alias="AI_SERVICE_URL")
    ai_service_key: Key | None = Field(None, validation_alias="AI_SERVICE_KEY")
    metrics_token: SecretStr | None = Field(None, min_length=16, validation_alias="CHAIRSIDE_METRICS_TOKEN")
    alert_mail: str | None = Field(None, pattern=r"^[^@\s,]+@[^@\s,]+$", validation_alias="CHAIRSIDE_ALERT_MAIL")
    alert_webhook: SecretStr | None = Field(None, validation_alias="CHAIRSIDE_ALERT_WEBHOOK")
    alert_secret: SecretStr | None = Field(None, min_length=16, validation_alias="CHAIRSIDE_ALERT_SECRET")
    sentry_dsn: SecretStr | None = Field(None, validation_alias="SENTRY_DSN")
    archive_after: int = Field(0, ge=0, le=1200, validation_alias="CHAIRSIDE_ARCHIVE_AFTER")
    redis_url: SecretStr | None = Field(None, validation_alias="REDIS_URL")
    limit_seconds: int = Field(900, ge=1, le=86400, validation_alias="LIMIT_SECONDS")
    limit_sign_in_account: int = Field(5, ge=1, validation_alias="LIMIT_SIGN_IN_ACCOUNT")
    limit_sign_in_address: int = Field(30, ge=1, validation_alias="LIMIT_SIGN_IN_ADDRESS")
    limit_sign_up: int = Field(10, ge=1, validation_alias="LIMIT_SIGN_UP")
    limit_reset: int = Field(10, ge=1, validation_alias="LIMIT_RESET")
    limit_factor: int = Field(5, ge=1, validation_alias="LIMIT_FACTOR")
    limit_chats: int = Field(20, ge=1, validation_alias="LIMIT_CHATS")
    limit_changes: int = Field(100, ge=1, validation_alias="LIMIT_CHANGES")
    limit_service: int = Field(300, ge=1, validation_alias="LIMIT_SERVICE")
    limit_reads: int = Field(6000, ge=1, validation_alias="LIMIT_READS")

    @property
    def production(self) -> bool:
        return self.env == "production"

    @property
    def sign_up(self) -> str:
        return self.signup or ("first" if self.production else "open")

    @property
    def host_names(self) -> frozenset[str]:
        """What a request's Host may be. Where neither setting is given, this machine's names and no other."""
        public = [urlsplit(self.url).netloc.rpartition("@")[2]] if self.url else []
        names = [*self.hosts, *(re.sub(r":\d+$", "", name) for name in public)]
        return frozenset(name.lower() for name in names or THIS_MACHINE)

    @property
    def encryption_key_list(self) -> list[str]:
        return _keys(self.encryption_keys)

    @property
    def backup_key_list(self) -> list[str]:
        return _keys(self.backup_keys)

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
    _check_keys(settings)
    if settings.smtp_url and not (settings.url and settings.mail_from):
        raise SetUpError("SMTP_URL needs CHAIRSIDE_URL (where links in mails lead) and CHAIRSIDE_MAIL_FROM.")
    if settings.alert_mail and not settings.smtp_url:
        raise SetUpError("CHAIRSIDE_ALERT_MAIL needs SMTP_URL, the server that takes mails.")
    if settings.alert_webhook and not settings.alert_secret:
        raise SetUpError("CHAIRSIDE_ALERT_WEBHOOK needs CHAIRSIDE_ALERT_SECRET, with which what is sent there is signed.")
    if settings.ai_base_url and not settings.ai_api_key:
        raise SetUpError("AI_BASE_URL needs AI_API_KEY; a local server that asks for none takes any word.")
    if settings.ai_service_url and not settings.ai_service_key:
        raise SetUpError("AI_SERVICE_URL needs AI_SERVICE_KEY, the key that the service was started with.")
    if settings.redis_url and urlsplit(settings.redis_url.get_secret_value()).scheme not in ("redis", "rediss", "redis+unix"):
        raise SetUpError("REDIS_URL must begin with redis://, rediss:// or redis+unix://.")
    if not settings.production:
        return
    if _is_guessable(settings.jwt_secret):
        raise SetUpError("JWT_SECRET must be set to at least 32 random characters in production.")
    if settings.jwt_secret_previous and _is_guessable(settings.jwt_secret_previous):
        raise SetUpError("JWT_SECRET_PREVIOUS must be the secret that was used before, of at least 32 random characters.")
    if settings.database_owner_url:
        raise SetUpError("DATABASE_OWNER_URL must not be given to a production app: it may bypass the clinic walls. "
                         "Run `make migrate` with it instead.")


def _is_guessable(secret: SecretStr | None) -> bool:
    """Too short, too few different characters to be random, or somebody's placeholder."""
    text = secret.get_secret_value() if secret else ""
    return len(text) < 32 or bool(PLACEHOLDER.search(text)) or zxcvbn(text[:72])["guesses_log10"] < 15


def _check_keys(settings: Settings) -> None:
    for name, keys in (("CHAIRSIDE_ENCRYPTION_KEYS", settings.encryption_key_list),
                       ("CHAIRSIDE_BACKUP_KEYS", settings.backup_key_list)):
        if not all(re.fullmatch(r"[\w-]{43}=", key, re.ASCII) for key in keys):
            raise SetUpError(f"{name} holds something that is no key. `make key` prints one; several are parted by commas, the "
                             "newest first.")
