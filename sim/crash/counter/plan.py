"""Which kill points a campaign takes: whole stories first, then by seed."""

from __future__ import annotations

from itertools import chain, zip_longest
from typing import TYPE_CHECKING, Final, TypeAlias

from sim.crash.kill_points import Moment
from sim.crash.points import KillPoint, PointKind

if TYPE_CHECKING:
    import random
    from collections.abc import Mapping, Sequence

    from sim.crash.counter.run import Played

__all__ = ["Task", "all_points", "choose", "in_words"]

Task: TypeAlias = "tuple[str, tuple[KillPoint, ...]]"
"""A story's name and the kills in it."""
_SECOND_MAX: Final = {PointKind.JOURNAL: 40, PointKind.APDU: 16, PointKind.LINK: 10}
"""How far after the first kill the second may be: a recovery is about as long."""


def all_points(first: Played) -> list[KillPoint]:
    """Every point at which a story can be killed.

    Args:
        first: the story as it went without a kill.
    """
    points = [
        KillPoint(kind=PointKind.JOURNAL, at=at, moment=moment)
        for at, call in enumerate(first.journal, 1)
        for moment in Moment
        if call.is_write or moment is not Moment.HALFWAY
    ]
    for kind, names in first.passed.items():
        points += [
            KillPoint(kind=kind, at=at, moment=moment)
            for at in range(1, len(names) + 1)
            for moment in (Moment.BEFORE, Moment.AFTER)
        ]
    return points


def choose(
    stories: Mapping[str, Sequence[KillPoint]],
    *,
    points: int,
    doubles: int,
    source: random.Random,
) -> list[Task]:
    """The runs of a campaign, in order.

    Args:
        stories: every point of each story, the stories in order.
        points: how many kill points at least, as far as there are as many. Stories that
            fit are taken whole; of the others each gets the same number, and so does
            each kind of point.
        doubles: how many of them, chosen evenly, are killed a second time afterwards.
        source: of what is left to chance.
    """
    chosen: list[Task] = []
    left = dict(stories)
    for name, its_points in stories.items():
        if len(its_points) > points - len(chosen):
            break
        chosen += [(name, (point,)) for point in left.pop(name)]
    mixed = [_mixed(name, its_points, source) for name, its_points in left.items()]
    chosen += _turn_by_turn(mixed)[: points - len(chosen)]
    for index in source.sample(range(len(chosen)), min(doubles, len(chosen))):
        name, (first,) = chosen[index]
        chosen[index] = (name, (first, _second(source)))
    return chosen


def in_words(point: KillPoint, first: Played) -> str:
    """A point as it is told: what was going on there when nothing was killed."""
    if point.kind is PointKind.JOURNAL:
        names: Sequence[object] = first.journal
    else:
        names = first.passed[point.kind]
    what = names[point.at - 1] if point.at <= len(names) else "beyond the story"
    return f"{point.moment.name.lower()} {point.kind} {point.at} ({what})"


def _mixed(name: str, points: Sequence[KillPoint], source: random.Random) -> list[Task]:
    """All points of a story, by chance, the kinds by turns."""
    by_kind = [[p for p in points if p.kind is kind] for kind in PointKind]
    for one_kind in by_kind:
        source.shuffle(one_kind)
    return _turn_by_turn([[(name, (p,)) for p in one_kind] for one_kind in by_kind])


def _turn_by_turn(lists: Sequence[Sequence[Task]]) -> list[Task]:
    turns = chain.from_iterable(zip_longest(*lists))
    return [task for task in turns if task is not None]


def _second(source: random.Random) -> KillPoint:
    kind = source.choice(list(PointKind))
    moments = (
        list(Moment) if kind is PointKind.JOURNAL else [Moment.BEFORE, Moment.AFTER]
    )
    at = source.randint(1, _SECOND_MAX[kind])
    return KillPoint(kind=kind, at=at, moment=source.choice(moments))
