"""The Streamlit app: analyse recordings, follow nodes live, inspect the model."""
