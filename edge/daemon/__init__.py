"""The daemon: threads, wiring, supervision, diagnostics."""
