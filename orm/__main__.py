"""`python -m orm` is the console script `orm`."""

from __future__ import annotations

import sys

from orm.cli.main import main

sys.exit(main())
