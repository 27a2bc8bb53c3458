"""``python3 -m install.device``: the setup program. Any Python 3 can parse it, so that it can refuse an old one."""

import sys

if sys.version_info < (3, 11):  # noqa: UP036 (this file alone meets older ones)
    sys.exit("affectd needs Python 3.11 or later, this is %d.%d: Debian 12 brings it" % sys.version_info[:2])  # noqa: UP031

from install.device.cli import main

sys.exit(main())
