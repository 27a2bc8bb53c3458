"""Installs affectd on a machine: called by `make install`, `cross-install`, `wheelhouse` and `uninstall`."""
