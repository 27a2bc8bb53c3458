"""The conversation with the broker: topics, discovery, session, retained state, commands."""
