"""Puts affectd on a machine: what `make install`, `cross-install`, `wheelhouse` and `uninstall` call."""
