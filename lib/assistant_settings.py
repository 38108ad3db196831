"""What an owner decided about the assistant: whether anything leaves the clinic, to whom, and for how much a day."""

from dataclasses import dataclass, replace
from decimal import Decimal

from lib import addresses, audit, auth, providers, settings, vault
from lib.db import Scope
from lib.errors import Changed, Invalid
from lib.providers import Provider
from lib.texts import _

FIELDS = ("provider_on", "baa_on_file", "base_url", "model", "api_key", "daily_budget_usd")


@dataclass(frozen=True)
class AssistantSettings:
    """`base_url`, `model` and `api_key` (sealed, or newly typed) are the clinic's own provider; None: the installation's."""

    provider_on: bool = False
    baa_on_file: bool = False
    base_url: str | None = None
    model: str | None = None
    api_key: str | None = None
    daily_budget_usd: Decimal = Decimal(100)
    version: int = 0

    @property
    def own(self) -> bool:
        return self.base_url is not None


def get(scope: Scope) -> AssistantSettings:
    """Where nobody decided anything yet: nothing leaves the clinic."""
    return scope.first(AssistantSettings, """
        select provider_on, baa_on_file, base_url, model, api_key, daily_budget_usd, version
        from assistant_settings
        where clinic_id = :clinic_id
        """) or AssistantSettings()


def offered() -> bool:
    """Whether the installation brings a provider, in this process or in the assistant's own service."""
    return bool(providers.installed() or settings.get().ai_service_url)


def available(decided: AssistantSettings) -> bool:
    """Switched on, and there is somebody to ask."""
    return decided.provider_on and (decided.own or offered())


def provider(decided: AssistantSettings) -> Provider | None:
    """Who is asked in this clinic; None: the assistant's own service, or nobody. Raises SetUpError where a stored key can't be
    read any more."""
    if decided.base_url and decided.api_key and decided.model:
        return Provider(decided.base_url, vault.unseal(decided.api_key), decided.model)
    return installed()


def installed() -> Provider | None:
    """Who is asked for a clinic without a provider of its own; None: the assistant's own service, or nobody."""
    return None if settings.get().ai_service_url else providers.installed()


def amend(scope: Scope, wanted: AssistantSettings) -> None:
    """`wanted.version` is the one that was edited; a newer one raises Changed. An `api_key` of "" keeps the stored one."""
    auth.require(scope.identity, "clinic.settings")
    before = get(scope)
    wanted = _checked(wanted, before)
    changed = [name for name in FIELDS if getattr(before, name) != getattr(wanted, name)]
    if changed and not _write(scope, wanted):
        raise Changed(_("Somebody else changed these settings meanwhile. Reload to see theirs, then make your change again."))
    if changed:
        audit.record(scope, "change", "assistant", fields=changed)
    if before.provider_on != wanted.provider_on:
        audit.record(scope, "switch_on" if wanted.provider_on else "switch_off", "assistant")


def _write(scope: Scope, wanted: AssistantSettings) -> int:
    return scope.run("""
        insert into assistant_settings as s (clinic_id, provider_on, baa_on_file, base_url, model, api_key, daily_budget_usd)
        values (:clinic_id, :provider_on, :baa_on_file, :base_url, :model, :api_key, :daily_budget_usd)
        on conflict (clinic_id) do update
        set provider_on = excluded.provider_on, baa_on_file = excluded.baa_on_file, base_url = excluded.base_url,
            model = excluded.model, api_key = excluded.api_key, daily_budget_usd = excluded.daily_budget_usd
        where s.version = :version
        """, provider_on=wanted.provider_on, baa_on_file=wanted.baa_on_file, base_url=wanted.base_url, model=wanted.model,
             api_key=wanted.api_key, daily_budget_usd=wanted.daily_budget_usd, version=wanted.version)


def _checked(wanted: AssistantSettings, before: AssistantSettings) -> AssistantSettings:
    if wanted.provider_on and not wanted.baa_on_file:
        raise Invalid(_("Before anything leaves the clinic, an agreement with the provider (BAA) has to be on file."))
    if not 0 <= wanted.daily_budget_usd <= 100_000:
        raise Invalid(_("A day's budget lies between 0 and 100,000 USD."))
    wanted = _own(wanted, before) if wanted.base_url else replace(wanted, base_url=None, model=None, api_key=None)
    if wanted.provider_on and not wanted.own and not offered():
        raise Invalid(_("This installation brings no provider. Enter the address and key of your own."))
    return wanted


def _own(wanted: AssistantSettings, before: AssistantSettings) -> AssistantSettings:
    """A key belongs to the address it was entered for: it is never sent to another one."""
    addresses.check(wanted.base_url or "")
    if not wanted.model or len(wanted.model) > 200:
        raise Invalid(_("Name the model, such as {example}.").format(example=providers.MODEL))
    key = (wanted.api_key or "").strip()
    if key and not settings.KEY.fullmatch(key):
        raise Invalid(_("A key has plain letters and digits only. Copy it again from your account there."))
    if key and key != before.api_key:
        return replace(wanted, api_key=vault.seal(key))
    if not before.api_key or before.base_url != wanted.base_url:
        raise Invalid(_("Enter the key for this address."))
    return replace(wanted, api_key=before.api_key)
