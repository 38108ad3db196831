"""The least that Streamlit does for a rerun: a menu of this app's size and a title. It is the machine's floor."""

import streamlit as st


def title() -> None:
    st.title("Floor")


st.navigation([st.Page(title, title=f"Page {n}", url_path=f"page{n}", default=n == 0) for n in range(16)]).run()
st.button("Sign out")
