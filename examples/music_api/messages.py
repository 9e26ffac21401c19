"""JSON in and out, and the one place where errors become answers."""

from __future__ import annotations

import json
from datetime import datetime
from decimal import Decimal
from functools import partial
from typing import Any, cast

import pydantic
from starlette.requests import Request
from starlette.responses import JSONResponse

import orm

STATUS: dict[type[Exception], int] = {
    orm.DoesNotExist: 404,
    orm.UniqueViolation: 409,
    orm.ForeignKeyViolation: 409,
    orm.StaleInstance: 409,
    orm.ValidationError: 422,
    pydantic.ValidationError: 422,
    orm.OperationalError: 503,
}


class Answer(JSONResponse):
    """An answer in JSON."""

    def render(self, content: Any) -> bytes:
        return dumps(content).encode()


def dumps(content: Any) -> str:
    """JSON with exact amounts as numbers and moments in ISO 8601."""
    return json.dumps(content, default=_plain, ensure_ascii=False)


def _plain(value: Decimal | datetime) -> float | str:
    return float(value) if isinstance(value, Decimal) else value.isoformat()


async def json_of(request: Request) -> dict[str, Any]:
    """The object in a request's body; numbers with a point are exact decimals."""
    try:
        content = json.loads(await request.body(), parse_float=Decimal)
    except (ValueError, RecursionError) as error:
        raise invalid("body", f"The body is not JSON: {error}") from None
    if not isinstance(content, dict):
        raise invalid("body", "The body is no JSON object")
    return cast("dict[str, Any]", content)


def invalid(name: str, message: str) -> orm.ValidationError:
    """A problem with something that the client sent."""
    return orm.ValidationError(message, [{"loc": (name,), "type": "request", "msg": message}])


async def _answer(status: int, _: Request, error: Exception) -> Answer:
    content: dict[str, Any] = {"error": type(error).__name__}
    if isinstance(error, (orm.ValidationError, pydantic.ValidationError)):
        content["problems"] = [{part: problem[part] for part in ("loc", "type", "msg")} for problem in error.errors()]
    if isinstance(error, orm.IntegrityError):
        content["fields"] = error.fields
    return Answer(content, status)


HANDLERS: dict[Any, Any] = {error: partial(_answer, status) for error, status in STATUS.items()}
