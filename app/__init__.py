"""affectd for people who want to look: record, see, understand."""
