"""Where things are."""

import os
from pathlib import Path

ROOT = Path(__file__).parent.parent
DATA = Path(os.environ.get("AFFECTD_DATA", ROOT.parent / "shared" / "data"))
DEMO = ROOT / "edge" / "demo.opus"
