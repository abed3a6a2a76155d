"""Which strings go where: chunks of them, each for a machine of its own.

A chunk is made by its seed alone, so a bad one can be run again by itself.
"""

from __future__ import annotations

import multiprocessing
import random
import resource
import traceback
import tracemalloc
from collections import Counter
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

from sim.fuzz.mutation import Mutator
from sim.fuzz.targets import TARGETS, Target

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

__all__ = ["Chunk", "Result", "chunks_of", "feed", "run_all"]

_CHUNK: Final = 5_000
"""Strings that one machine gets, one after the other."""
_MEMORY_BYTES_MAX: Final = 2 << 30
"""A process that asks for more than this is stopped, which counts as a failure."""
_KEPT_BYTES_MAX: Final = 1 << 19
"""What a machine may hold after a chunk, which brings it more than that."""


@dataclass(frozen=True, slots=True)
class Chunk:
    """So many strings for one machine.

    Attributes:
        target: its name.
        seed: makes the strings.
        count: of them.
        watched: whether to measure what the machine keeps, which takes longer.
    """

    target: str
    seed: str
    count: int
    watched: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Result:
    """What came of a chunk.

    Attributes:
        target: its name.
        seed: of the chunk.
        fed: strings.
        fed_bytes: their sum.
        kept_bytes: what the machine holds at the end; None when nobody looked.
        states: how many strings came in each state, by its name.
        failure: the error that must not be, with its string in hexadecimal, or "".
    """

    target: str
    seed: str
    fed: int
    fed_bytes: int
    kept_bytes: int | None = None
    states: dict[str, int] = field(default_factory=dict)
    failure: str = ""


def feed(chunk: Chunk) -> Result:
    """Feed one machine with one chunk."""
    (target,) = [one for one in TARGETS if one.name == chunk.target]
    draw = random.Random(chunk.seed)
    corpus = target.corpus()
    reader = target.begin(draw)
    if chunk.watched:
        tracemalloc.start()
    fed = fed_bytes = 0
    states: Counter[str] = Counter()
    data = b""
    failure = ""
    mutator = Mutator(corpus, draw)
    try:
        while fed < chunk.count:
            data = mutator.next()
            fed += 1
            fed_bytes += len(data)
            states.update(reader.states)
            reader.feed(data)
    except Exception:  # whatever it is, it is what is looked for
        failure = f"{traceback.format_exc()}fed: {data.hex()}"
    kept_bytes = None
    if chunk.watched:
        kept_bytes, _ = tracemalloc.get_traced_memory()
        tracemalloc.stop()
        if kept_bytes > _KEPT_BYTES_MAX and not failure:
            failure = f"it keeps {kept_bytes} of {fed_bytes} bytes that it was fed"
    return Result(
        target=target.name,
        seed=chunk.seed,
        fed=fed,
        fed_bytes=fed_bytes,
        kept_bytes=kept_bytes,
        states=dict(states),
        failure=failure,
    )


def chunks_of(targets: Sequence[Target], count: int, seed: int) -> list[Chunk]:
    """``count`` strings, shared out evenly among ``targets``."""
    found: list[Chunk] = []
    for place, target in enumerate(targets):
        share = count // len(targets) + (place < count % len(targets))
        for number, start in enumerate(range(0, share, _CHUNK)):
            found.append(
                Chunk(
                    target=target.name,
                    seed=f"{seed} {target.name} {number}",
                    count=min(_CHUNK, share - start),
                    watched=number == 0,
                )
            )
    return found


def run_all(
    chunks: Sequence[Chunk],
    *,
    processes: int,
    on_result: Callable[[Result], None],
) -> list[Result]:
    """Feed every chunk; results in their order, each told when it is there."""
    context = multiprocessing.get_context("spawn")
    results: list[Result] = []
    with context.Pool(processes, _limit_memory) as pool:
        for result in pool.imap(feed, chunks):
            results.append(result)
            on_result(result)
        pool.close()
        pool.join()
    return results


def _limit_memory() -> None:
    resource.setrlimit(resource.RLIMIT_AS, (_MEMORY_BYTES_MAX, _MEMORY_BYTES_MAX))
