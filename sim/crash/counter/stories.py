"""What happens at the counter while it is killed: stories, each a list of steps.

A story ends with every payment debited once, every batch with the bank, and nothing
left on the customs card, however often the program was killed on the way.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, TypeAlias

from card.profile import Role

if TYPE_CHECKING:
    from collections.abc import Mapping

__all__ = [
    "STORIES",
    "EndOfDay",
    "Pay",
    "Reinsert",
    "Restart",
    "Step",
    "Story",
    "Tear",
]


@dataclass(frozen=True, slots=True, kw_only=True)
class Tear:
    """The card leaves its reader at a command of the payment, and is put back.

    Attributes:
        ins: the instruction of that command, one byte.
        role: of the card that leaves.
        arrives: whether the command was carried out before.
    """

    ins: int
    role: Role
    arrives: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Pay:
    """Take a payment, and do not give up before it is paid.

    Attributes:
        declaration: its number, which no other step of the story has.
        amount: as the clerk types it.
        purse: which of the customers' cards.
        first_pin: what the customer types first; the right one later.
        tear: what happens to a card meanwhile.
    """

    declaration: str
    amount: str
    purse: int = 0
    first_pin: str = "1234"
    tear: Tear | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Reinsert:
    """Take a card out and put it back."""

    role: Role


@dataclass(frozen=True, slots=True)
class Restart:
    """Stop the program in order, and start it again."""


@dataclass(frozen=True, slots=True, kw_only=True)
class EndOfDay:
    """Close the batch and send it, until the bank has everything.

    Attributes:
        is_line_dead: no call comes about; once is enough then.
    """

    is_line_dead: bool = False


Step: TypeAlias = Pay | Reinsert | Restart | EndOfDay


@dataclass(frozen=True, slots=True, kw_only=True)
class Story:
    """One story; the program is started before its first step.

    Attributes:
        title: what it is about, in a few words.
    """

    name: str
    title: str
    steps: tuple[Step, ...]

    @property
    def payments(self) -> tuple[Pay, ...]:
        """The payments that must have been made at its end, each once."""
        return tuple(step for step in self.steps if isinstance(step, Pay))


_DEBIT: Final = 0x54
_INIT_SAM: Final = 0x70
_CREDIT: Final = 0x72

_ALL: Final = (
    Story(
        name="payment",
        title="one payment and the end of day",
        steps=(Pay(declaration="INV-2025-000001", amount="1.234"), EndOfDay()),
    ),
    Story(
        name="day",
        title="two payments, a card put in again, end of day, restart, another payment",
        steps=(
            Pay(declaration="INV-2025-000001", amount="1.234"),
            Pay(declaration="INV-2025-000002", amount="20.500"),
            Reinsert(role=Role.PURSE),
            EndOfDay(),
            Restart(),
            Pay(declaration="INV-2025-000003", amount="0.001"),
            EndOfDay(),
        ),
    ),
    Story(
        name="torn",
        title="a debit, an opening and a credit torn, each settled with the card back",
        steps=(
            Pay(
                declaration="INV-2025-000001",
                amount="7.000",
                tear=Tear(ins=_DEBIT, role=Role.PURSE, arrives=True),
            ),
            Pay(
                declaration="INV-2025-000002",
                amount="8.000",
                tear=Tear(ins=_DEBIT, role=Role.PURSE, arrives=False),
            ),
            Pay(
                declaration="INV-2025-000003",
                amount="9.000",
                tear=Tear(ins=_INIT_SAM, role=Role.CUSTOMS, arrives=True),
            ),
            Pay(
                declaration="INV-2025-000004",
                amount="10.000",
                tear=Tear(ins=_CREDIT, role=Role.CUSTOMS, arrives=True),
            ),
            EndOfDay(),
        ),
    ),
    Story(
        name="two-cards",
        title="two customers, a wrong PIN, and the customs card taken out in between",
        steps=(
            Pay(declaration="INV-2025-000001", amount="3.000", first_pin="9999"),
            Pay(declaration="INV-2025-000002", amount="4.000", purse=1),
            Reinsert(role=Role.CUSTOMS),
            Pay(declaration="INV-2025-000003", amount="5.000"),
            EndOfDay(),
        ),
    ),
    Story(
        name="two-batches",
        title="an end of day without a line, and one that sends both batches",
        steps=(
            Pay(declaration="INV-2025-000001", amount="100.000"),
            EndOfDay(is_line_dead=True),
            Pay(declaration="INV-2025-000002", amount="200.000", purse=1),
            Restart(),
            EndOfDay(),
            EndOfDay(),
        ),
    ),
)
STORIES: Final[Mapping[str, Story]] = {story.name: story for story in _ALL}
