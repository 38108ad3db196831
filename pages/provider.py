"""The AI provider: whether anything leaves the clinic, to whom, and what a day may cost."""

from decimal import Decimal

import streamlit as st

from lib import assistant_settings, breakers, budgets, db, drafts, providers, remote, trials
from lib.assistant_settings import AssistantSettings
from lib.errors import AppError, Changed
from lib.texts import _
from ui import guard, kept, state, widgets
from ui.markdown import escape

identity = guard.require("clinic.settings")
with db.scope(identity) as scope:
    decided = assistant_settings.get(scope)
    today = budgets.today(scope, decided.daily_budget_usd)
version = state.began_with("provider", decided.version, "provider_name", name="own" if decided.own else "installed",
                           on=decided.provider_on, baa=decided.baa_on_file, key="", budget=float(decided.daily_budget_usd))
stored = {"provider:url": decided.base_url or "", "provider:model": decided.model or ""}


def fields() -> AssistantSettings:
    on = st.toggle(_("Ask an AI provider"), key="provider_on",
                   help=_("Off, nothing leaves the clinic: the knowledge base answers, and red flags come first in any case."))
    baa = st.checkbox(_("An agreement with the provider (BAA) is on file"), key="provider_baa")
    offer = {"own": _("A provider of our own")}
    if assistant_settings.offered() or not decided.own:
        offer = {"installed": _("This installation's provider"), **offer}
    choice = st.segmented_control(_("Which one"), list(offer), key="provider_name", format_func=offer.__getitem__, required=True)
    address = own() if choice == "own" else (None, None, None)
    budget = st.number_input(_("Budget for a day, in US dollars"), 0.0, 100_000.0, step=5.0, key="provider_budget",
                             help=_("From 80 % on you are warned here and on Today; at 100 % the provider is not asked any more "
                                    "that day. Red flags and the knowledge base go on."))
    return AssistantSettings(on, baa, *address, Decimal(str(budget)), version)


def own() -> tuple[str, str, str]:
    """Address, model and key; the key is never shown again, and an empty field keeps the stored one."""
    kept.begin(identity, stored, form="provider")
    kept.notice(identity, "provider", list(stored))
    url = st.text_input(_("Address"), key=kept.key("provider:url"),
                        placeholder="https://generativelanguage.googleapis.com/v1beta/openai",
                        help=_("Any endpoint that speaks OpenAI's chat completions."))
    left, right = st.columns(2)
    model = left.text_input(_("Model"), key=kept.key("provider:model"), placeholder=providers.MODEL)
    words = _("Stored; leave empty to keep it") if decided.api_key else _("Key of your account there")
    key = right.text_input(_("Key"), key="provider_key", type="password", placeholder=words, autocomplete="off")
    return url.strip(), model.strip(), key


def save(wanted: AssistantSettings) -> None:
    try:
        with db.scope(guard.act("clinic.settings")) as scope:
            assistant_settings.amend(scope, wanted)
            drafts.discard_texts(scope, list(stored))
    except AppError as error:
        st.error(escape(str(error)), icon=":material/error:")
        if isinstance(error, Changed):
            st.button(_("Show what is stored now"), on_click=kept.start_over, args=("provider", list(stored)))
        return
    state.start_over("provider")
    state.notify(_("Settings saved."))
    st.rerun()


def standing() -> None:
    """What was spent today, and whether the provider is answering."""
    words = _("Today: ${spent} of ${limit} spent, ${held} held by running answers.").format(
        spent=f"{today.spent_usd:,.2f}", limit=f"{today.limit_usd:,.2f}", held=f"{today.reserved_usd:,.2f}")
    widgets.budget_notice(today)
    st.caption(escape(words))
    try:
        provider = assistant_settings.provider(decided)
    except AppError as error:  # its key can't be read any more: a new one can be entered below
        st.error(escape(str(error)), icon=":material/key_off:")
        return
    if not provider and breakers.is_resting(remote.breaker()):
        st.warning(_("The assistant's service failed several times in a row. It is left alone for half a minute at a time; until "
                     "it answers again, the knowledge base answers."), icon=":material/power_off:")
    if provider and breakers.is_resting(providers.breaker(provider)):
        st.warning(_("The provider failed several times in a row. It is left alone for half a minute at a time; until it answers "
                     "again, the knowledge base answers."), icon=":material/power_off:")


def try_out() -> None:
    if not st.button(_("Test connection"), icon=":material/network_check:",
                     help=_("One short call by what is saved, with nothing of the clinic in it. It counts in the day's budget.")):
        return
    try:
        with st.spinner(_("Asking …")):
            trial = trials.try_out(guard.act("clinic.settings"))
    except AppError as error:
        st.error(escape(str(error)), icon=":material/error:")
        return
    if trial.reason:
        st.error(escape(trial.reason), icon=":material/error:")
    else:
        st.success(_("{model} answered in {seconds} s.").format(model=escape(trial.model), seconds=f"{trial.seconds:.1f}"),
                   icon=":material/check_circle:")


st.title(_("AI provider"), anchor=False)
with st.container(key="narrow"):
    standing()
    with st.container(border=True):
        wanted = fields()
        if st.button(_("Save"), type="primary"):
            save(wanted)
    try_out()
