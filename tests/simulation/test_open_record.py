"""An open record goes up with a batch, and comes down closed, whoever settled it."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from settlement import open_records
from settlement.commands.card_desk_opens import SettledOpen
from settlement.store.opens import ResolvedBy
from sim.faults.matrix import Task
from sim.faults.stories import STORIES
from sim.faults.workshop import Workshop
from sim.world.fate import Site

if TYPE_CHECKING:
    from collections.abc import Iterator

    from sim.faults.scenario import Outcome

(OPEN_RECORD,) = (story for story in STORIES if story.name == "open record")
NAMES = [follow_up.name for follow_up in OPEN_RECORD.follow_ups]


@pytest.fixture
def workshop() -> Iterator[Workshop]:
    with Workshop() as workshop:
        yield workshop


def run(workshop: Workshop, name: str) -> Outcome:
    """The story with the follow-up of that name, and without a fault."""
    (follow_up,) = [one for one in OPEN_RECORD.follow_ups if one.name == name]
    task = Task(story=OPEN_RECORD, follow_up=follow_up, first=None, seed=None)
    return workshop.run(task.scenario)


@pytest.mark.parametrize("name", NAMES)
def test_an_open_record_ends_well_whoever_settles_it(
    workshop: Workshop, name: str
) -> None:
    outcome = run(workshop, name)
    assert outcome.violations == ()
    assert {Site.COMMAND, Site.COMMIT, Site.JOURNAL, Site.MESSAGE} <= {
        point.site for point in outcome.points
    }


def test_what_the_card_desk_settled_comes_down_with_the_next_call(
    workshop: Workshop,
) -> None:
    lines = run(workshop, "card desk").story
    desk = "\n".join(line for line in lines if line.startswith("the desk: "))
    assert "1.234 OMR" in desk
    assert "was debited, once" in desk
    assert "never took place" in desk
    told = lines[lines.index("purse 2 is brought to the desk") :]
    purse_back = told.index("the purse is put in")
    assert told.index("the counter: INV-2025-000001: it was paid") < purse_back
    nothing = "the counter: INV-2025-000009 with the other purse: nothing was taken"
    assert told.index(nothing) < purse_back


def test_a_card_that_never_comes_back_leaves_its_record_with_the_bank(
    workshop: Workshop,
) -> None:
    assert "open 2 posted 0" in run(workshop, "card never back").ending


def test_a_bank_that_takes_a_debit_for_none_is_found(
    workshop: Workshop, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(open_records, "settled_by", lambda *_: ResolvedBy.NEXT_PAYMENT)
    found = run(workshop, "card never back").violations
    assert any("the bank holds for not debited: 1234" in words for words in found)


def test_a_bank_that_goes_on_wondering_is_found(
    workshop: Workshop, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(open_records, "settled_by", lambda *_: None)
    found = run(workshop, "card's next payment").violations
    assert any("the bank wonders about what it has: 1234" in words for words in found)


def test_a_desk_that_says_what_is_not_so_is_found(
    workshop: Workshop, monkeypatch: pytest.MonkeyPatch
) -> None:
    told = SettledOpen.__str__

    def lie(self: SettledOpen) -> str:
        opposite = SettledOpen(
            terminal_id=self.terminal_id,
            at=self.at,
            amount=self.amount,
            debited=not self.debited,
        )
        return told(opposite)

    monkeypatch.setattr(SettledOpen, "__str__", lie)
    found = "\n".join(run(workshop, "card desk").violations)
    assert "claims that it was not taken" in found
    assert "claims that it was taken" in found
