"""Today."""

import streamlit as st

from ui import guard

identity = guard.require("today.read")
st.title("Today")
