"""The app with an open page that looks for emergencies every two seconds instead of once a minute: for uvicorn, as app.py is."""

import streamlit as st

from app import app
from ui import emergency_news

__all__ = ["app"]
emergency_news.EVERY = 2.0
emergency_news._tell = st.fragment(run_every=emergency_news.EVERY)(emergency_news._tell.__wrapped__)
