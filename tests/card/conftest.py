"""The worked vector of the profile, and a bench of two simulated cards."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from card.apdu import ResponseAPDU
from card.customs import CustomsSession
from card.exchange import Finished, JournalStep, Record, Transmit
from card.keys import MasterKeys
from card.pin import pin_block
from card.profile import Role
from card.purchase import PurchaseExchange, PurchaseTerms
from card.purse import PurseSession
from card.records import TransactionRecord, payment_digest
from card.recovery import RecoveryExchange, RecoveryResult
from sim.cards.issue import default_customs_card, default_purse

if TYPE_CHECKING:
    from collections.abc import Callable

    from card.apdu import CommandAPDU
    from card.purchase import PurchaseResult

VECTORS = Path(__file__).parent.parent / "vectors" / "card-profile-1.txt"
CID = bytes.fromhex("64 00 00 00 00 00 00 01")
MID = bytes.fromhex("43 55 53 00 00 00 00 07")
AT = datetime(2025, 11, 22, 10, 15, tzinfo=UTC)
BALANCE_MINOR = 500_000


@dataclass(frozen=True)
class Exchange:
    """One command of the transcript with its answer."""

    role: Role
    command: bytes
    response: ResponseAPDU


@dataclass(frozen=True)
class Loss:
    """The answer to transmission number ``index`` (from 0) does not come.

    ``carried_out`` says whether the card saw the command. Either way the card left.
    """

    index: int
    carried_out: bool


@dataclass
class Drive:
    """Runs one machine; keeps what it recorded and what went over the contacts."""

    transmit: Callable[[Role, CommandAPDU], ResponseAPDU]
    leave: Callable[[Role], None]
    loss: Loss | None = None
    steps: list[JournalStep] = field(default_factory=list)
    sent: list[tuple[Role, int]] = field(default_factory=list)

    def run(self, machine: Any) -> Any:
        while True:
            action = machine.next_action()
            assert machine.next_action() is action
            match action:
                case Transmit(role=role, command=command):
                    self._transmit(machine, role, command)
                case Record(step=step):
                    self.steps.append(step)
                    machine.recorded()
                case Finished(result=result):
                    return result
                case _:
                    raise AssertionError(action)

    def _transmit(self, machine: Any, role: Role, command: CommandAPDU) -> None:
        lost = self.loss is not None and self.loss.index == len(self.sent)
        if lost and self.loss is not None and not self.loss.carried_out:
            self.sent.append((role, 0))
            self.leave(role)
            machine.lost()
            return
        response = self.transmit(role, command)
        size = len(command.to_bytes()) + len(response.data) + 2
        self.sent.append((role, size))
        if lost:
            self.leave(role)
            machine.lost()
        else:
            machine.receive(response)


class Bench:
    """A purse and a customs card in this process, and what a counter does with them."""

    def __init__(self) -> None:
        self.cards = {
            Role.PURSE: default_purse(),
            Role.CUSTOMS: default_customs_card(),
        }
        self.purse = PurseSession(self.channel(Role.PURSE))
        self.customs = CustomsSession(self.channel(Role.CUSTOMS))
        self.purse.select()
        self.customs.select()
        self.last: Drive

    def channel(self, role: Role) -> BenchChannel:
        return BenchChannel(self, role)

    def transmit(self, role: Role, command: CommandAPDU) -> ResponseAPDU:
        return ResponseAPDU.parse(self.cards[role].process(command.to_bytes()))

    def put_back(self, role: Role) -> None:
        """The card left and came back: it was reset and is selected again."""
        self.cards[role].reset()
        session = self.purse if role is Role.PURSE else self.customs
        session.select()

    def run(self, machine: Any, loss: Loss | None = None) -> Any:
        self.last = Drive(self.transmit, self.put_back, loss)
        return self.last.run(machine)

    def pay(
        self,
        amount_minor: int = 1234,
        reference: str = "INV-2025-000001",
        *,
        pin: bytes = b"1234",
        loss: Loss | None = None,
    ) -> PurchaseResult:
        terms = PurchaseTerms(
            amount_minor=amount_minor,
            currency=512,
            mid=MID,
            kv=1,
            digest=payment_digest(reference),
            at=AT,
            cid=CID,
        )
        result: PurchaseResult = self.run(PurchaseExchange(terms, pin_block(pin)), loss)
        return result

    def recover(self, loss: Loss | None = None) -> list[RecoveryResult]:
        """One run for every open record that names the purse."""
        records = [r for r in self.customs.list_open() if r.tx.cid == CID]
        return [self.run(RecoveryExchange(record), loss) for record in records]

    @property
    def debited_minor(self) -> int:
        return BALANCE_MINOR - self.purse.balance()

    @property
    def credited_minor(self) -> int:
        return self.customs.status().total_minor

    @property
    def open_minor(self) -> int:
        return sum(record.tx.amount_minor for record in self.customs.list_open())

    def check_value(self) -> None:
        """No value created, and all value accounted."""
        assert self.credited_minor <= self.debited_minor
        assert self.debited_minor <= self.credited_minor + self.open_minor


@dataclass(frozen=True)
class BenchChannel:
    """A `Channel` to one card of the bench."""

    bench: Bench
    role: Role

    def transmit(self, command: CommandAPDU) -> ResponseAPDU:
        return self.bench.transmit(self.role, command)


@pytest.fixture
def bench() -> Bench:
    return Bench()


@pytest.fixture(scope="session")
def new_bench() -> type[Bench]:
    """Makes one bench for each example of a property."""
    return Bench


@pytest.fixture(scope="session")
def lose() -> type[Loss]:
    """Makes losses: ``lose(index, carried_out)``."""
    return Loss


@pytest.fixture(scope="session")
def transcript() -> list[Exchange]:
    """Every exchange of the worked vector, in its order."""
    roles = {"P": Role.PURSE, "C": Role.CUSTOMS}
    lines = [line.split() for line in VECTORS.read_text().splitlines()]
    sides = [words for words in lines if len(words) == 3 and words[1] in {"<", ">"}]
    found = []
    for ask, answer in zip(sides[::2], sides[1::2], strict=True):
        assert (ask[1], answer[1]) == (">", "<")
        response = ResponseAPDU.parse(bytes.fromhex(answer[2]))
        found.append(Exchange(roles[ask[0]], bytes.fromhex(ask[2]), response))
    return found


@pytest.fixture(scope="session")
def masters() -> MasterKeys:
    """The masters of the worked vector."""
    return MasterKeys(
        kv=1,
        purchase=bytes(range(0x10)),
        load=bytes(range(0x10, 0x20)),
        transaction_certificate=bytes(range(0x20, 0x30)),
        maintenance=bytes(range(0x30, 0x40)),
        batch=bytes(range(0x40, 0x50)),
    )


@pytest.fixture(scope="session")
def tx() -> TransactionRecord:
    """The payment of the worked vector."""
    return TransactionRecord(
        cid=CID,
        otc=1,
        mid=MID,
        tsn=1,
        amount_minor=1234,
        currency=512,
        at=AT,
        digest=payment_digest("INV-2025-000001"),
    )
