"""Work that goes on while the screens stay alive."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine

    from textual.dom import DOMNode
    from textual.worker import WorkType

# Jobs of this group decide where the next key goes: it waits for their end.
HOLDS_KEYS = "holds-keys"


def begin(
    node: DOMNode,
    job: Callable[[], Coroutine[None, None, None]],
    *,
    group: str,
    exclusive: bool = False,
) -> None:
    """Begin a job of a screen or of the app.

    The job is given as a function, never as a coroutine: one that is given up before
    it has begun is then not left behind half made.

    Args:
        node: whose job it is; it is given up when the node goes.
        job: makes the coroutine.
        group: jobs of the same sort.
        exclusive: give up earlier jobs of the group.
    """
    work: WorkType[None] = job
    node.run_worker(work, group=group, exclusive=exclusive)
