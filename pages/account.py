"""One's own account: name and language, password, second factor, the devices that are signed in."""

import streamlit as st

from lib import account
from lib.texts import _
from ui import (
    account_codes,
    account_devices,
    account_factor,
    account_jobs,
    account_profile,
    guard,
    state,
    team_credentials,
)
from ui.markdown import escape

identity = guard.require("account.own")
profile = account.get(identity)

st.title(_("Account"), anchor=False)
st.caption(escape(profile.email))
with st.container(key="narrow"):
    codes = state.codes()
    if codes:
        account_codes.show(codes)
    if identity.must_enrol:
        st.warning(_("{clinic} asks everybody for a second factor, and you have none yet. Set it up here; everything else opens "
                     "right after.").format(clinic=escape(identity.clinic_name)), icon=":material/phonelink_lock:")
        account_factor.section(identity, profile)
    account_profile.section(identity, profile)
    account_profile.password(identity)
    if not identity.must_enrol:
        account_factor.section(identity, profile)
    account_devices.section(identity)
    account_jobs.section(identity)
    team_credentials.form(identity)
