from __future__ import annotations

from typing import TYPE_CHECKING

import orm

from .base import Base

if TYPE_CHECKING:
    from .notes import Note


class User(Base):
    id: orm.Field[int] = orm.BigAutoField()
    name: orm.Field[str] = orm.String(max_length=100)
    notes: orm.RelatedSet[Note] = orm.Reverse("Note.author")
    profile: orm.Related[Profile | None] = orm.Reverse("Profile.user")


class Profile(Base):
    user: orm.Related[User] = orm.OneToOne(User, primary_key=True, on_delete=orm.CASCADE)
    text: orm.Field[str] = orm.Text()
    mentor: orm.Related[User | None] = orm.OneToOne(
        User, null=True, default=None, on_delete=orm.SET_NULL, related_name="pupil"
    )
