"""The Streamlit app: ``streamlit run app/main.py``."""

from pathlib import Path

import streamlit as st

from app import analyse, batch, bundles, live, memory, model

memory.keep_uploads()
HERE = Path(__file__).parent
st.set_page_config("affectd", page_icon=str(HERE / "icon.svg"), layout="wide", initial_sidebar_state="expanded")
st.html(HERE / "style.css")
pages = [
    st.Page(analyse.page, title="Analyse", icon=":material/graphic_eq:", url_path="analyse", default=True),
    st.Page(live.page, title="Live", icon=":material/sensors:", url_path="live"),
    st.Page(batch.page, title="Batch", icon=":material/table_rows:", url_path="batch"),
    st.Page(model.page, title="Model", icon=":material/neurology:", url_path="model"),
]
chosen = st.navigation(pages)
bundles.choose()
st.sidebar.caption("Uploads and recordings stay in this computer's memory and are gone when the page is closed.")
chosen.run()
