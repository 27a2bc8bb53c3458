"""``python -m edge.config``: the reference page of the configuration, docs/configuration.md."""

from edge.config import schema
from edge.config.settings import Config

_REFERENCE = """# Configuration

One YAML file; every key is optional. `affectd check-config FILE` names every error in it at once, with its path. A key
that is not in this table is an error. This page is made by `make docs`.

"""

if __name__ == "__main__":
    print(_REFERENCE + schema.reference(Config), end="")
