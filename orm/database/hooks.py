"""What is to be done once a transaction is committed."""

from __future__ import annotations

import asyncio
import inspect
import logging
from collections.abc import Callable, Sequence
from typing import Any

logger = logging.getLogger("orm.database")

Hook = Callable[[], Any]
"""A function, or an async one; what it returns is dropped."""

_TASKS: set[asyncio.Task[None]] = set()
"""Hooks that run on their own, kept from being collected."""


async def run_hooks(hooks: Sequence[Hook]) -> None:
    """Run hooks in order; one that raises is logged, and cancellation drops the rest."""
    for position, hook in enumerate(hooks):
        try:
            await _finish(hook())
        except Exception:
            logger.exception("An on_commit function failed; the transaction is committed: %r", hook)
        except BaseException:
            if position + 1 < len(hooks):
                logger.warning("Cancelled after the commit; not run any more: %r", hooks[position + 1 :])
            raise


def run_at_once(hook: Hook) -> None:
    """Run a hook outside of all transactions: now, or in a task of its own if it is async."""
    result = hook()
    if inspect.iscoroutine(result):
        task = asyncio.get_running_loop().create_task(_run_logged(hook, result))
        _TASKS.add(task)
        task.add_done_callback(_TASKS.discard)


async def _finish(result: Any) -> None:
    if inspect.iscoroutine(result):  # a task or future that a hook returns goes on by itself
        await result


async def _run_logged(hook: Hook, result: Any) -> None:
    try:
        await _finish(result)
    except Exception:
        logger.exception("An on_commit function failed: %r", hook)
