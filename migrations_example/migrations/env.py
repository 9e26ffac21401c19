"""Alembic's environment: which models, and that is all."""

from __future__ import annotations

from orm import migrations

from models import models

migrations.run(models)
