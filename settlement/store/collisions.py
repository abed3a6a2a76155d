"""Doing a transaction again that another one was in the way of.

A block ``with store.write()`` cannot run twice. A function can, when it is one whole
transaction and decides by nothing but what it reads in it and its arguments: `repeated`
marks such a one.
"""

from __future__ import annotations

from functools import wraps
from typing import TYPE_CHECKING, Final, ParamSpec, TypeVar

from settlement.errors import CollisionError

if TYPE_CHECKING:
    from collections.abc import Callable

__all__ = ["TRIES_MAX", "repeated"]

TRIES_MAX: Final = 5
"""How often it is tried; whoever asked is then told to ask again."""

P = ParamSpec("P")
T = TypeVar("T")


def repeated(work: Callable[P, T]) -> Callable[P, T]:
    """Have a function that is one transaction begin again after a `CollisionError`.

    The transaction that failed has left no trace, so that nothing is done twice.
    """

    @wraps(work)
    def again(*args: P.args, **kwargs: P.kwargs) -> T:
        for _ in range(TRIES_MAX - 1):
            try:
                return work(*args, **kwargs)
            except CollisionError:
                continue
        return work(*args, **kwargs)

    return again
