"""The database of the application: `MUSIC_DATABASE` says which, an SQLite file unless it is set."""

from __future__ import annotations

import os
from pathlib import Path

import orm

from models import models

DEFAULT = Path(__file__).parents[2] / "build" / "music.db"

if "MUSIC_DATABASE" not in os.environ:
    DEFAULT.parent.mkdir(exist_ok=True)

database = orm.Database(os.environ.get("MUSIC_DATABASE", f"sqlite:///{DEFAULT}"))
models.database = database
