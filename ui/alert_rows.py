"""Alerts on the screen: what stands, what is over, what is watched, and the ways to mute and to test."""

import time
from datetime import datetime

import streamlit as st

from lib import alert_words, auth, clinic_alerts, db
from lib.clinic_alerts import Alert, Outcome, Watched
from lib.errors import AppError
from lib.identity import Identity
from lib.texts import _
from ui import guard, menu, state, widgets
from ui.markdown import escape

PATIENCE = 20  # seconds for a test, which a mail server and a webhook may take
HOURS = (1, 8, 24, 168)
ICONS = {"budget": "savings", "emergency": "emergency", "reruns": "hourglass_bottom", "requests": "hourglass_bottom",
         "answers": "hourglass_bottom", "errors": "report", "connections": "hub", "disk": "hard_drive", "backup": "backup",
         "archive": "inventory_2", "provider": "power_off", "own_provider": "power_off", "worker": "pending_actions"}


def show(alerts: list[Alert], watched: list[Watched], identity: Identity) -> None:
    muted = {(one.kind, one.installation): one.muted_until for one in watched}
    for alert in alerts:
        with st.container(key=f"alert_{alert.id}", border=True, horizontal=True, vertical_alignment="center"):
            st.markdown(_described(alert, muted.get((alert.kind, alert.installation)), identity), width="stretch")
            if alert.kind == "emergency" and auth.may(identity, "emergencies.read"):
                st.page_link(menu.page("emergencies"), label=_("Answer for it"), icon=":material/arrow_forward:",
                             icon_position="right", query_params={"emergency": alert.subject})


def _described(alert: Alert, muted_until: datetime | None, identity: Identity) -> str:
    facts = [_("since {time}").format(time=widgets.when(alert.raised_at, identity)), *_told(alert, identity)]
    if muted_until:
        facts.append(_("muted until {time}").format(time=widgets.when(muted_until, identity)))
    words = alert_words.sentence(alert.kind, alert.level, alert.amount, alert.most)
    title = f":material/{ICONS[alert.kind]}: **{_title(alert.kind, alert.installation)}**"
    return f"{title}  \n{escape(words)}  \n:small[{' · '.join(facts)}]"


def _told(alert: Alert, identity: Identity) -> list[str]:
    """Who knows of it already, and what kept a mail or the webhook from arriving."""
    told = [_("mailed {time}").format(time=widgets.when(alert.mailed_at, identity))] if alert.mailed_at else []
    if alert.mail_problem:
        told.append(_(":red[mail failed: {reason}]").format(reason=escape(alert.mail_problem)))
    if alert.posted_at:
        told.append(_("webhook {time}").format(time=widgets.when(alert.posted_at, identity)))
    if alert.post_problem:
        told.append(_(":red[webhook failed: {reason}]").format(reason=escape(alert.post_problem)))
    return told


def _title(kind: str, installation: bool) -> str:
    return escape(alert_words.title(kind, installation=installation))


def over(alerts: list[Alert], identity: Identity) -> None:
    """One element for all of them."""
    lines = []
    for alert in alerts:
        assert alert.cleared_at
        words = alert_words.sentence(alert.kind, alert.level, alert.amount, alert.most)
        span = f"{widgets.when(alert.raised_at, identity)} – {widgets.when(alert.cleared_at, identity)}"
        lines.append(f"- **{_title(alert.kind, alert.installation)}** {escape(words)}  \n  :small[{span}]")
    st.markdown("\n".join(lines))


# what is watched -----------------------------------------------------------------------------------------------------


def rules(watched: list[Watched], alerts: list[Alert], identity: Identity) -> None:
    """A line for each kind, with the way to mute it for who may."""
    raised = {(one.kind, one.installation) for one in alerts}
    with st.container(key="watched"):
        for one in watched:
            name = f"{'all' if one.installation else 'own'}_{one.kind}"
            with st.container(key=f"watched_{name}", horizontal=True, vertical_alignment="center"):
                st.markdown(_rule(one, (one.kind, one.installation) in raised, identity), width="stretch")
                if auth.may(identity, "alerts.mute"):
                    _mute_button(one, name)


def _mute_button(one: Watched, name: str) -> None:
    if one.muted_until:
        st.button(_("Unmute"), key=f"unmute_{name}", type="tertiary", on_click=_mute, args=(one.kind, one.installation, 0))
    elif st.button(_("Mute"), key=f"mute_{name}", type="tertiary", icon=":material/notifications_off:"):
        _ask_how_long(one.kind, one.installation)


def _rule(one: Watched, raised: bool, identity: Identity) -> str:
    sign = ":red[:material/error:]" if raised else ":green[:material/check_circle:]"
    muted = f" · {_('muted until {time}').format(time=widgets.when(one.muted_until, identity))}" if one.muted_until else ""
    return f"{sign} **{_title(one.kind, one.installation)}**  \n:small[{escape(alert_words.rule(one.kind))}{muted}]"


@st.dialog(_("Mute this alert"))
def _ask_how_long(kind: str, installation: bool) -> None:
    guard.require("alerts.mute")
    st.markdown(_("**{alert}** stays to be seen here. Nobody is told of it for a while, and if it stands then, they are.").format(
        alert=_title(kind, installation)))
    hours = st.segmented_control(_("For"), HOURS, default=8, required=True, format_func=_span)
    if st.button(_("Mute"), type="primary", key="mute_now"):
        _mute(kind, installation, hours)
        st.rerun()


def _span(hours: int) -> str:
    return {1: _("1 hour"), 8: _("8 hours"), 24: _("1 day"), 168: _("1 week")}[hours]


def _mute(kind: str, installation: bool, hours: int) -> None:
    try:
        with db.scope(guard.act("alerts.mute")) as scope:
            clinic_alerts.mute(scope, kind, hours, installation=installation)
    except AppError as error:
        return state.refuse(str(error))
    state.notify(_("Muted.") if hours else _("Told of again."))


# a test --------------------------------------------------------------------------------------------------------------


def test() -> None:
    """On the way that every alert goes; says what happened."""
    try:
        with st.spinner(_("Sending …")):
            found = _test()
    except AppError as error:
        st.error(escape(str(error)), icon=":material/error:")
        return
    _say(found)


def _test() -> Outcome:
    """What became of it, or of as much as was done in time."""
    with db.scope(guard.act("alerts.mute")) as scope:
        alert_id = clinic_alerts.test(scope)
    deadline = time.monotonic() + PATIENCE
    while True:
        with db.scope(guard.require("alerts.mute")) as scope:
            found = clinic_alerts.outcome(scope, alert_id)
        if found.done or time.monotonic() > deadline:
            return found
        time.sleep(0.5)


def _say(found: Outcome) -> None:
    if not found.done:
        st.warning(_("Nothing was sent yet: no worker took it up, or this is a restored copy that is not released."),
                   icon=":material/hourglass_top:")
        return
    ways = [(_("Mail"), found.mailed, found.mail_problem), (_("Webhook"), found.posted, found.post_problem)]
    words = [f"{way}: {_('sent') if sent else escape(problem) if problem else _('not set up')}" for way, sent, problem in ways]
    show = st.error if found.mail_problem or found.post_problem else st.success if found.mailed or found.posted else st.info
    show("  \n".join(words), icon=":material/send:")
