import streamlit as st

from ui import guard

guard.require("today.read")
st.title("patient_import")
