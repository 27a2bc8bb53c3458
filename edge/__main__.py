"""``python -m edge`` is ``affectd``."""

import sys

from edge.cli import main

sys.exit(main())
