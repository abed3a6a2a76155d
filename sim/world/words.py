"""What the counter's sentences claim: one table, written by hand from the English text.

It is not made from `terminal.wording`, so that a sentence which was changed there is
met here by somebody who reads it again: a money clause that is not in the table counts
as a lie. Of the two other clauses only what speaks of money is here.
"""

from __future__ import annotations

import re
from enum import Enum, unique
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator, Mapping, Sequence

    from terminal.errors import Advice

__all__ = [
    "ASKED",
    "COLLECTED",
    "NOTHING_TO_SEND",
    "NOT_PAID",
    "OPEN",
    "PAID",
    "PARTLY_HELD",
    "UNTOUCHED",
    "WAITS",
    "Claim",
    "lies_in",
    "lies_of_desk",
    "lies_of_desk_error",
    "money_words",
]


@unique
class Claim(Enum):
    """What a clause claims."""

    TAKEN = "it was taken"
    NOT_TAKEN = "it was not taken"
    UNKNOWN = "nobody knows yet"
    NO_MOVE = "nothing moves now"
    SAFE = "what was taken is safe"
    COLLECTED = "the bank has it"
    DONE = "nothing is left to do"
    TOLD = "each payment is told by itself"


PAID: Final = frozenset({Claim.TAKEN, Claim.DONE})
NOT_PAID: Final = frozenset({Claim.NOT_TAKEN})
OPEN: Final = frozenset({Claim.UNKNOWN})
UNTOUCHED: Final = frozenset({Claim.NO_MOVE, Claim.NOT_TAKEN})
NOTHING_TO_SEND: Final = frozenset({Claim.NO_MOVE, Claim.DONE})
WAITS: Final = frozenset({Claim.SAFE})
PARTLY_HELD: Final = frozenset({Claim.COLLECTED})
COLLECTED: Final = PARTLY_HELD | {Claim.DONE}
ASKED: Final = frozenset({Claim.UNKNOWN, Claim.TOLD})
"""What may be claimed of a payment, a card, a day."""

_AMOUNT: Final = r"[\d,]+\.\d{3} OMR"

_MONEY: Final = tuple(
    (re.compile(text), claim)
    for text, claim in (
        (r"Nothing was taken from the card\.", Claim.NOT_TAKEN),
        (rf"(?P<amount>{_AMOUNT}) was taken from the card\.", Claim.TAKEN),
        (
            r"The amount was taken from the card: the customer has paid\.",
            Claim.TAKEN,
        ),
        (r"The amount was taken from card (?P<card>\S+)\.", Claim.TAKEN),
        (
            r"It is not known yet whether the amount was taken from the card\.",
            Claim.UNKNOWN,
        ),
        (
            r"Whether its amount was taken is told with each payment\.",
            Claim.TOLD,
        ),
        (r"No money moved\.", Claim.NO_MOVE),
        (
            r"Nothing was taken from any card, and no payment is lost\.",
            Claim.NO_MOVE,
        ),
        (r"The payments that were taken are safe\.", Claim.SAFE),
        (r"Nothing is lost: .+\.", Claim.SAFE),
        (
            rf"(?P<posted>{_AMOUNT}) goes to the customs account"
            rf"(; the bank holds (?P<held>{_AMOUNT}) until it is cleared)?\.",
            Claim.COLLECTED,
        ),
        (
            r"Nothing goes to the customs account yet; the bank holds "
            rf"(?P<held>{_AMOUNT}) until it is cleared\.",
            Claim.COLLECTED,
        ),
    )
)
"""Every money clause there is, whole."""

_ASIDE: Final = tuple(
    (re.compile(text), claim)
    for text, claim in (
        (
            r"has been paid already|had been debited|[Tt]he payment is made|"
            r"and has been settled|has not taken the amount over yet|"
            r"Receipt (?P<receipt>\d+)\.",
            Claim.TAKEN,
        ),
        (
            r"was not debited|was not made|PIN again|payment again\.|"
            r"[Tt]ry once more|can be taken again",
            Claim.NOT_TAKEN,
        ),
        (
            r"[Dd]o not take it again|[Gg]ive the card back",
            Claim.TAKEN,
        ),
        (r"Nothing is left to do\.", Claim.DONE),
        (
            r"cannot tell any more how|do not take the amount another way|"
            r"the bank decides|the counter finds out|[Pp]ut card \S+ back|"
            r"[Pp]ut the same card back",
            Claim.UNKNOWN,
        ),
    )
)
"""What the other two clauses say of it, anywhere in them."""


def money_words(amount_minor: int) -> str:
    """An amount as the counter is to write it.

    >>> money_words(1_234_500)
    '1,234.500 OMR'
    """
    return f"{amount_minor // 1000:,}.{amount_minor % 1000:03} OMR"


def lies_in(
    advice: Advice, allowed: Collection[Claim], facts: Mapping[str, str]
) -> Iterator[str]:
    """What of ``advice`` is not so, in words; nothing when all of it is.

    Args:
        advice: what was told.
        allowed: what may be claimed, by what is true.
        facts: what a sentence may name: ``amount``, ``card``, ``receipt``, ``posted``
            and ``held``, as they are.
    """
    yield from _whole(advice.money, _MONEY, allowed, facts)
    for clause in (advice.happened, advice.next_step):
        if not clause.endswith("."):
            yield f"a clause is missing or no sentence: '{clause}'"
        for pattern, claim in _ASIDE:
            for found in pattern.finditer(clause):
                yield from _wrong(found, claim, allowed, facts)


_PAYMENT: Final = (
    rf"A payment of (?P<amount>{_AMOUNT}), begun [-\d]+ [:\d]+ UTC at terminal \S+"
)
_DESK: Final = tuple(
    (re.compile(text), claim)
    for text, claim in (
        (
            rf"{_PAYMENT}, is proved: the card was debited, once\. .*"
            r"must not pay it again\.",
            Claim.TAKEN,
        ),
        (
            rf"{_PAYMENT}, never took place: the card was not debited .*"
            r"can pay again\.",
            Claim.NOT_TAKEN,
        ),
        (rf"{_PAYMENT}: the card can no longer say .*", Claim.UNKNOWN),
        (
            rf"An earlier load of (?P<amount>{_AMOUNT}) is proved: the card has it\.",
            Claim.TAKEN,
        ),
        (
            rf"An earlier load of (?P<amount>{_AMOUNT}) never reached the card; it is "
            r"booked back to the customer's account\.",
            Claim.NOT_TAKEN,
        ),
    )
)
"""What the card desk says of a payment or a load that was cut short, whole."""
_DESK_ERRORS: Final = tuple(
    (re.compile(text), claim)
    for text, claim in (
        (
            r"The card left before it could say .* run: raseed-card recover",
            Claim.UNKNOWN,
        ),
        (
            rf"The card did not take the load of {_AMOUNT}; it is booked back .* "
            r"No money was lost\. Try again\.",
            Claim.NOT_TAKEN,
        ),
        (r"The card was taken out .* try again\. No money moved\.", Claim.NO_MOVE),
    )
)
"""Why the card desk stopped, whole: each says what to do next."""


def lies_of_desk(text: str, amount: str, *, is_so: bool) -> Iterator[str]:
    """What is not so in the desk's word on what was cut short.

    Args:
        text: what was said.
        amount: of the payment or the load, in words.
        is_so: whether the purse was debited, or loaded.
    """
    allowed = {Claim.UNKNOWN, Claim.TAKEN if is_so else Claim.NOT_TAKEN}
    yield from _whole(text, _DESK, allowed, {"amount": amount})


def lies_of_desk_error(text: str, *, moved: bool) -> Iterator[str]:
    """What is not so in the words with which the desk stopped.

    Args:
        text: what was said.
        moved: whether the purse has more than before.
    """
    stands = set() if moved else {Claim.NOT_TAKEN, Claim.NO_MOVE}
    yield from _whole(text, _DESK_ERRORS, stands | {Claim.UNKNOWN}, {})


def _whole(
    text: str,
    table: Sequence[tuple[re.Pattern[str], Claim]],
    allowed: Collection[Claim],
    facts: Mapping[str, str],
) -> Iterator[str]:
    """Judge a text that must stand in ``table``, from its first word to its last."""
    for pattern, claim in table:
        found = pattern.fullmatch(text)
        if found is not None:
            yield from _wrong(found, claim, allowed, facts)
            return
    yield f"nobody knows what this claims: '{text}'"


def _wrong(
    found: re.Match[str],
    claim: Claim,
    allowed: Collection[Claim],
    facts: Mapping[str, str],
) -> Iterator[str]:
    said = found.group()
    if claim not in allowed:
        truths = ", ".join(sorted(one.value for one in allowed))
        yield f"'{said}' claims that {claim.value}, where {truths}"
    for name, value in found.groupdict().items():
        if value is not None and value != facts.get(name):
            yield f"'{said}' names the {name} {value}; it is {facts.get(name)}"
