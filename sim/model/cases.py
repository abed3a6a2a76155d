"""What is asked of the model: properties, witnesses, mutants and known limits.

Every question is one exhaustive search with its own switches. A *run* must hold its
properties. A *witness* claims that something never happens and must be found wrong, so
that no property holds for want of anything happening. A *mutant* is the design with
one fault put in, and must break the property that is named. A *limit* is an assumption
taken away: the property that stands on it must break, or the page that names it is
wrong.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import IntEnum, StrEnum, unique
from typing import Final

__all__ = [
    "DEEP_RUNS",
    "LIMITS",
    "MUTANTS",
    "RUNS",
    "WITNESSES",
    "Case",
    "Kind",
    "Property",
]


@unique
class Property(IntEnum):
    """The numbers are those of the card profile; the fifth is this model's own."""

    NO_VALUE_CREATED = 1
    ALL_VALUE_ACCOUNTED = 2
    WORD_IS_TRUE = 3
    BANK_PAYS_DEBITS = 4
    SETTLED_IN_THE_END = 5

    @property
    def words(self) -> str:
        """As it is printed: ``2 all value accounted``."""
        return f"{self.value} {self.name.lower().replace('_', ' ')}"


@unique
class Kind(StrEnum):
    """What a case is for; see the module."""

    RUN = "run"
    WITNESS = "witness"
    MUTANT = "mutant"
    LIMIT = "limit"


@dataclass(frozen=True, slots=True, kw_only=True)
class Case:
    """One search of the model.

    Attributes:
        name: unique among its kind; a mutant's and a witness's is its switch.
        what: in words, for the table.
        properties: those that the monitor looks at; none for a witness.
        attempts: payments that are begun in all.
        records: numbers of the customs card.
        faults: how many may happen in one history; None is without end.
        day: whether the end of day, the bank and its card desk take part.
        switches: further names to define.
    """

    kind: Kind
    name: str
    what: str
    properties: tuple[Property, ...] = ()
    attempts: int = 2
    records: int = 2
    faults: int | None = None
    day: bool = False
    switches: tuple[str, ...] = ()

    @property
    def defines(self) -> tuple[str, ...]:
        """What Spin's preprocessor is told, without the ``-D``."""
        own = {Kind.WITNESS: f"SEEK_{self.name}=1", Kind.MUTANT: f"MUTANT_{self.name}"}
        return (
            f"ATTEMPTS={self.attempts}",
            f"RECORDS={self.records}",
            *(f"PROPERTY_{number.value}" for number in self.properties),
            *(() if self.faults is None else (f"FAULTS={self.faults}",)),
            *(("DAY",) if self.day else ()),
            *((own[self.kind],) if self.kind in own else ()),
            *self.switches,
        )

    @property
    def is_short(self) -> bool:
        """Whether the shortest story is wanted, rather than every state."""
        return self.kind is not Kind.RUN

    @property
    def bounds(self) -> str:
        """In words, for the table."""
        faults = "any" if self.faults is None else str(self.faults)
        return f"{self.attempts} attempts, {self.records} records, {faults} faults"


_P1: Final = Property.NO_VALUE_CREATED
_P2: Final = Property.ALL_VALUE_ACCOUNTED
_P3: Final = Property.WORD_IS_TRUE
_P4: Final = Property.BANK_PAYS_DEBITS
_P5: Final = Property.SETTLED_IN_THE_END

RUNS: Final = (
    Case(
        kind=Kind.RUN,
        name="counter",
        what="payments and recovery",
        properties=(_P1, _P2, _P3),
    ),
    Case(
        kind=Kind.RUN,
        name="day",
        what="with end of day, bank and card desk",
        properties=(_P1, _P2, _P3, _P4),
        day=True,
    ),
    Case(
        kind=Kind.RUN,
        name="settled",
        what="faults stop at any moment, cards come back",
        properties=(_P5,),
        day=True,
    ),
    Case(
        kind=Kind.RUN,
        name="long",
        what="a third payment and a third record",
        properties=(_P1, _P2, _P3),
        attempts=3,
        records=3,
        faults=4,
    ),
    Case(
        kind=Kind.RUN,
        name="repeated-rc",
        what="a purse whose random numbers repeat",
        properties=(_P1, _P2),
        switches=("RC_REPEATS",),
    ),
    Case(
        kind=Kind.RUN,
        name="repeated-rc-long",
        what="the same, a third payment and record",
        properties=(_P1, _P2),
        attempts=3,
        records=3,
        faults=3,
        switches=("RC_REPEATS",),
    ),
    Case(
        kind=Kind.RUN,
        name="repeated-rc-word",
        what="the same, a refusal told once its record is closed",
        properties=(_P3,),
        switches=("RC_REPEATS", "TELLS_LATE"),
    ),
    Case(
        kind=Kind.RUN,
        name="spliced",
        what="a wire that makes a DEBIT of any MAC1 it saw",
        properties=(_P1, _P2),
        switches=("SPLICE",),
    ),
)

DEEP_RUNS: Final = (
    Case(
        kind=Kind.RUN,
        name="deep",
        what="a third payment and record, with repeated random numbers",
        properties=(_P1, _P2),
        attempts=3,
        records=3,
        faults=4,
        switches=("RC_REPEATS",),
    ),
    Case(
        kind=Kind.RUN,
        name="deep-day",
        what="the whole day, repeated random numbers and a splicing wire",
        properties=(_P1, _P2, _P4),
        day=True,
        switches=("RC_REPEATS", "SPLICE"),
    ),
)


def _witness(
    name: str, what: str, faults: int, *, properties: tuple[Property, ...] = ()
) -> Case:
    return Case(
        kind=Kind.WITNESS,
        name=name,
        what=what,
        properties=properties,
        faults=faults,
        day=True,
    )


WITNESSES: Final = (
    _witness("CREDITED", "a payment completes", 0),
    _witness("COLLECTED", "the bank pays, and the customs card lets go", 0),
    _witness("PROVED", "recovery by PROVE", 1),
    _witness("VOIDED_BY_RECOVERY", "recovery by VOID on both cards", 1),
    _witness("LOST_INIT_SAM_FOUND", "LIST OPEN shows a record nobody told of", 1),
    _witness("RESUMED_FROM_JOURNAL", "a restart credits by the journal's proof", 1),
    _witness("BANK_PROVES", "the bank's card desk finds the debit", 1),
    _witness("BANK_VOIDS", "the bank's card desk burns the number", 1),
    _witness("PAYS_AGAIN", "an order called not paid is paid again", 1),
    _witness("BATCH_SENT_AGAIN", "a batch reaches the bank twice", 2),
    _witness("DEBIT_DELIVERED_LATE", "a delayed DEBIT still debits", 2),
    _witness("OLD_DEBIT_REFUSED", "an old DEBIT meets a new session", 2),
    _witness("VOID_OF_ANOTHER_TSN", "VOID by case (c)", 2),
    _witness("SETTLED", "faults stop and all is settled", 1, properties=(_P5,)),
)


def _mutant(
    name: str, what: str, broken: Property, faults: int, *switches: str
) -> Case:
    return Case(
        kind=Kind.MUTANT,
        name=name,
        what=what,
        properties=(broken,),
        faults=faults,
        day=broken is _P4 or "DAY" in switches,
        switches=tuple(switch for switch in switches if switch != "DAY"),
    )


MUTANTS: Final = (
    _mutant(
        "MAC1_BEFORE_RECORD", "MAC1 is sent before the open record is durable", _P2, 1
    ),
    _mutant("CREDIT_THEN_REMOVE", "CREDIT adds, then removes the record", _P1, 1),
    _mutant("REMOVE_THEN_CREDIT", "CREDIT removes the record, then adds", _P2, 1),
    _mutant(
        "VOID_WITHOUT_BURN", "VOID does not burn the counter", _P2, 2, "RC_REPEATS"
    ),
    _mutant("VOID_KEEPS_SESSION", "VOID does not kill the session", _P2, 2),
    _mutant("SESSION_SURVIVES_DEBIT", "the session survives DEBIT", _P3, 1),
    Case(
        kind=Kind.MUTANT,
        name="COUNTER_WRAPS",
        what="a short counter in the session key",
        properties=(_P2,),
        attempts=3,
        records=3,
        faults=3,
        switches=("RC_REPEATS",),
    ),
    _mutant("OPEN_TABLE_IN_RAM", "the open table is in RAM only", _P2, 1),
    _mutant("ANSWER_BEFORE_DEBIT", "DEBIT is answered before its commit", _P1, 1),
    _mutant("VOID_OF_A_DEBIT", "VOID of a number that was debited", _P2, 2),
    _mutant("CREDIT_COUNTS_AGAIN", "a repeated CREDIT counts again", _P1, 1),
    _mutant("LOST_MEANS_FAILED", "a lost answer is called a failure", _P3, 1),
    _mutant("NO_SESSION_MEANS_REFUSED", "6985 to DEBIT is called a refusal", _P3, 1),
    _mutant("UNKNOWN_PAYS_AGAIN", "an unknown payment may be paid again", _P3, 1),
    _mutant("BANK_PAYS_AGAIN", "the bank posts a payment again", _P4, 1),
    _mutant("BANK_PAYS_OPEN_RECORDS", "the bank pays without a TAC", _P4, 1),
    _mutant("BANK_ACK_DROPS_OPEN", "BANK ACK drops open records", _P2, 2, "DAY"),
    _mutant("NO_VOID", "recovery knows no VOID", _P5, 1),
)

LIMITS: Final = (
    Case(
        kind=Kind.LIMIT,
        name="REPEATED_RC",
        what="random numbers repeat, and a refusal is told at once",
        properties=(_P3,),
        faults=3,
        switches=("RC_REPEATS",),
    ),
    Case(
        kind=Kind.LIMIT,
        name="SPLICED_MAC1",
        what="the wire makes a DEBIT of a MAC1 the terminal never got",
        properties=(_P3,),
        faults=3,
        switches=("SPLICE",),
    ),
)
