"""From issued cards to the statement, in one process: nothing in between is faked.

Cards are personalised and loaded by the card desk, the counter keeps its real journal,
two modems on PTYs carry a real call with TLS to a real host with real books. Only the
chips, the readers and the telephone network are simulated.
"""

from __future__ import annotations

import os
import secrets
import threading
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from datetime import timedelta
from typing import TYPE_CHECKING

import pytest

from card.profile import Role
from modem.tls import server_context
from settlement.admission import Admission
from settlement.bank import Bank
from settlement.bank_config import BankDirectory
from settlement.check.bank import check_bank
from settlement.clearing import IncidentCode
from settlement.host import BatchEnded, CallEnded, Host, HostEvent, ModemTrouble
from settlement.keystore import FileKeyStore
from settlement.ledger import Account, payee_account
from settlement.payment import PaymentKind
from settlement.pki import HOST_DNS_NAME, Authority
from settlement.statement import check_statement
from settlement.statements import Statements
from settlement.store.books import BankStore
from sim.cards.issue import blank_customs_card, blank_purse
from sim.cards.memory import Memory
from sim.modems.exchange import ExchangeSettings, Outcome
from sim.modems.line import LineSettings
from sim.modems.pair import ModemPair
from sim.site import office_now
from terminal.config import load_config
from terminal.day import DayPhase, DayProgress, DayResult, DayVerdict
from terminal.entries import BatchState
from terminal.journal import Journal
from terminal.machine import open_counter
from terminal.orders import Paid, RefusalReason, Refused, Unknown
from tests.branch import PASSPHRASE, World, at_work
from tests.fake_readers import NAMES, Clock, FakeReaders

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from modem.events import CallEvent
    from sim.cards.purse import SimulatedPurse
    from terminal.counter import Counter
    from terminal.errors import Advice
    from terminal.orders import PaymentResult

OMR = 512
OFFICE = "SOHAR"
PIN = b"731946"
LOADED_MINOR = 300_000
FAST = ExchangeSettings(
    line=LineSettings(rate_bps=1_000_000, delay_ms=1),
    dial_ms=10,
    ring_every_ms=100,
    training_ms=10,
)


class Site:
    """A bank with its desk and its line, a counter, two purses and a customs card."""

    def __init__(self, folder: Path, pair: ModemPair) -> None:
        self.pair = pair
        # Certificates are checked against the real clock: ours starts from it.
        self.clock = Clock(office_now())
        self.world = World(folder)
        self.world.now = self.clock.now
        self.readers = FakeReaders()
        self.purses: list[SimulatedPurse] = []
        self.counter: Counter
        self.events: list[HostEvent | CallEvent] = []
        with at_work(self.world):
            self._found_bank()
            self._issue_cards()
        directory = BankDirectory.open(self.world.bank_folder)
        self.directory = directory
        self.keys = FileKeyStore.open(directory.key_store, PASSPHRASE.encode())
        self.config = load_config(folder / "terminal" / "terminal.toml")

    def _found_bank(self) -> None:
        self._bank("init", str(self.world.bank_folder), "--test-keys")
        for number in ("1001", "1002"):
            self._bank(
                *("account", "open", number),
                *("--holder", f"TRADER {number}", "--deposit", "900"),
            )
        self._bank(
            *("terminal", "add", "T0000007", "--office", OFFICE),
            *("--mid", "4355530000000007", "--number", "5551234"),
            *("--modem-port", str(self.pair.near_path)),
            *("--purse-reader", NAMES[Role.PURSE]),
            *("--customs-reader", NAMES[Role.CUSTOMS]),
            *("--output", str(self.world.folder / "terminal")),
        )

    def _issue_cards(self) -> None:
        world = self.world
        world.customs.card = blank_customs_card(Memory(), b"CHIP0000")
        self._desk("--kind", "customs", "--terminal", "T0000007", reader="Reader B")
        for number in ("1001", "1002"):
            purse = blank_purse(Memory(), f"CHIP{number}".encode())
            world.purse.card = purse
            self._desk("--account", number, reader="Reader A", pins=PIN.decode())
            loaded = world.desk(
                "load", "300", "--reader", "Reader A", pins=PIN.decode()
            )
            assert loaded.exit_code == 0, loaded.output
            self.purses.append(purse)
        self.readers.insert(Role.CUSTOMS, world.customs.card)

    def _bank(self, *arguments: str) -> None:
        result = self.world.bank(*arguments)
        assert result.exit_code == 0, result.output

    def _desk(self, *arguments: str, reader: str, pins: str | None = None) -> None:
        result = self.world.desk(
            "personalise", *arguments, "--reader", reader, pins=pins
        )
        assert result.exit_code == 0, result.output

    @contextmanager
    def open_counter(self) -> Iterator[Counter]:
        """The counter's program, from its start to its end."""
        self.counter = open_counter(self.config, layer=self.readers, clock=self.clock)
        try:
            self.counter.start()
            yield self.counter
        finally:
            self.counter.stop()

    @contextmanager
    def serving(self, authority: Authority | None = None) -> Iterator[None]:
        """The bank's host at the far modem, certified by its own CA or another."""
        folder = self.directory
        certificate, key = folder.host_certificate, folder.host_key
        if authority is not None:
            identity = authority.issue_host(HOST_DNS_NAME, self.clock.now)
            certificate = self.world.folder / "stranger.pem"
            key = self.world.folder / "stranger.key"
            certificate.write_bytes(identity.certificate_pem)
            key.write_bytes(identity.key_pem)
        stop = threading.Event()
        with (
            BankStore.open(folder.database) as store,
            ThreadPoolExecutor(1) as pool,
        ):
            host = Host(
                bank=Bank(store, self.keys),
                admission=Admission(store, self.clock),
                tls_context=server_context(
                    folder.terminals_authority_certificate, certificate, key
                ),
                clock=self.clock,
                random_bytes=secrets.token_bytes,
                on_event=lambda _port, event: self.events.append(event),
            )
            served = pool.submit(host.serve, [str(self.pair.far_path)], stop)
            try:
                yield
            finally:
                stop.set()
                served.result(20)

    def pay(
        self,
        purse: int,
        amount: str,
        declaration: str,
        kind: PaymentKind = PaymentKind.FEES,
        *,
        pins: tuple[bytes, ...] = (PIN,),
    ) -> list[PaymentResult]:
        """One customer at the counter; a PIN for each try."""
        self.readers.insert(Role.PURSE, self.purses[purse])
        assert self.counter.on_card_inserted() == []
        order = self.counter.check_order(declaration, amount, kind)
        results = [
            self.counter.pay(order, self.counter.read_purse(), bytearray(pin))
            for pin in pins
        ]
        self.readers.remove(Role.PURSE)
        return results

    def cut_payment(self, purse: int, declaration: str, *, kind: str) -> None:
        """A payment of 1 that goes well, and one of 12.500 whose DEBIT is not answered.

        Args:
            purse: which customer's.
            declaration: what for.
            kind: ``"lost"`` when the purse was debited, ``"unsent"`` when it was not.
        """
        faults = self.readers.faults
        faults.disarm()
        faults.log.clear()
        assert isinstance(self.pay(purse, "1", f"{declaration}-A")[0], Paid)
        at = faults.log.index((Role.PURSE, "DEBIT"))
        faults.arm(kind, at, removes=True)
        (result,) = self.pay(purse, "12.500", declaration)
        faults.disarm()
        assert isinstance(result, Unknown)

    def at_the_desk(self, purse: int, *arguments: str, pins: str | None = None) -> str:
        """What ``raseed-card`` says with this customer's purse in its reader."""
        self.world.purse.card = self.purses[purse]
        with at_work(self.world):
            result = self.world.desk(*arguments, "--reader", "Reader A", pins=pins)
        assert result.exit_code == 0, result.output
        return result.output

    def open_incidents(self) -> list[str]:
        with BankStore.open(self.directory.database) as store, store.read() as books:
            noted = books.batches.noted_incidents()
        return [one.incident.code for one in noted if one.is_open]

    def close_day(
        self, on_progress: Callable[[DayProgress], None] = lambda _: None
    ) -> DayResult:
        return self.counter.close_day(on_progress)

    def close_day_in_vain(
        self, on_progress: Callable[[DayProgress], None] = lambda _: None
    ) -> Advice:
        """An end of day that leaves everything waiting; what the clerk is told."""
        result = self.close_day(on_progress)
        assert result.verdict is DayVerdict.PENDING
        assert result.batches
        assert not any(batch.collected for batch in result.batches)
        assert "Nothing is lost" in str(result.advice.money)
        return result.advice

    def on_chips(self) -> list[int]:
        return [purse.memory.integer("balance") for purse in self.purses]

    def on_customs_card(self) -> int:
        """What the customs card holds and the bank has not acknowledged."""
        assert self.world.customs.card is not None
        return self.world.customs.card.memory.integer("total")

    def batch_states(self) -> list[BatchState]:
        with ExitStack() as stack:
            journal = Journal.open(self.config.state_directory, os.urandom)
            stack.callback(journal.close)
            return [one.state for one in journal.batches.in_state(*BatchState)]

    def batches_at_the_bank(self) -> int:
        with BankStore.open(self.directory.database) as store, store.read() as books:
            return len(books.batches.batches())

    def booked(self, kind: PaymentKind) -> int:
        with BankStore.open(self.directory.database) as store, store.read() as books:
            return books.ledger.balance_minor(payee_account(kind, OFFICE, OMR))

    def statement(self, kind: PaymentKind) -> list[tuple[str, int]]:
        """Declaration and amount of each entry, after the statement was checked."""
        day = self.clock.now.date()
        with BankStore.open(self.directory.database) as store:
            statement = Statements(store, self.clock).issue(
                payee_account(kind, OFFICE, OMR),
                day - timedelta(days=1),
                day + timedelta(days=1),
            )
        assert check_statement(statement) == []
        assert statement.closing_minor == self.booked(kind)
        entries = [(entry.payment, entry.credit_minor) for entry in statement.entries]
        return [(made.declaration, amount) for made, amount in entries if made]

    def assert_the_books_are_right(self, payments: int, *, closed: int = 0) -> None:
        """Nothing is off, nothing is on its way: chips and ledger say the same.

        Args:
            payments: how many were posted.
            closed: how many incidents there were, which closed by themselves.
        """
        with BankStore.open(self.directory.database) as store:
            report = check_bank(store, self.keys)
            with store.read() as books:
                floats = [
                    books.ledger.balance_minor(
                        Account.purse_float(purse.memory.octets("card_id"), OMR)
                    )
                    for purse in self.purses
                ]
        assert report.findings == ()
        assert report.tacs_verified == report.payments == payments
        assert (report.incidents, report.incidents_closed) == (0, closed)
        assert floats == self.on_chips()
        assert self.on_customs_card() == 0


@pytest.fixture
def new_site(tmp_path: Path) -> Iterator[Callable[..., Site]]:
    """Makes a site whose first calls come to what a script says."""
    with ExitStack() as stack:

        def make(*script: Outcome) -> Site:
            pair = stack.enter_context(ModemPair(FAST, script=script))
            return Site(tmp_path, pair)

        yield make


def take_three_payments(site: Site) -> None:
    fees = site.pay(0, "1.234", "INV-2025-000001")
    deposit = site.pay(1, "40", "INV-2025-000002", PaymentKind.DEPOSITS)
    refused, paid = site.pay(0, "12.500", "INV-2025-000003", pins=(b"111111", PIN))
    assert isinstance(refused, Refused)
    assert (refused.reason, refused.tries_left) == (RefusalReason.PIN_WRONG, 2)
    assert all(isinstance(result, Paid) for result in (*fees, *deposit, paid))


def test_two_days_from_issued_cards_to_statements(
    new_site: Callable[..., Site],
) -> None:
    # After the second day's call was cut the bank's number is busy, twice.
    connects, busy = [Outcome.CONNECT] * 2, [Outcome.BUSY] * 2
    site = new_site(*connects, *busy)
    assert site.on_chips() == [LOADED_MINOR, LOADED_MINOR]
    with site.serving():
        with site.open_counter():
            take_three_payments(site)
            assert site.on_customs_card() == 53_734
            result = site.close_day()
        assert result.verdict is DayVerdict.COLLECTED, result.advice
        assert [(one.number, one.count) for one in result.batches] == [(1, 3)]
        assert site.batch_states() == [BatchState.ACKNOWLEDGED]
        site.assert_the_books_are_right(payments=3)
        assert site.statement(PaymentKind.FEES) == [
            ("INV-2025-000001", 1_234),
            ("INV-2025-000003", 12_500),
        ]
        assert site.statement(PaymentKind.DEPOSITS) == [("INV-2025-000002", 40_000)]
        assert site.on_chips() == [LOADED_MINOR - 13_734, LOADED_MINOR - 40_000]

        second_day_with_a_cut(site)
    assert site.batch_states() == [BatchState.ACKNOWLEDGED] * 2
    site.assert_the_books_are_right(payments=13)
    assert site.booked(PaymentKind.FEES) == 13_734 + 10_055
    declarations = [name for name, _ in site.statement(PaymentKind.FEES)]
    assert len(declarations) == len(set(declarations)) == 12
    assert site.statement(PaymentKind.DEPOSITS) == [("INV-2025-000002", 40_000)]
    ended = [event for event in site.events if isinstance(event, BatchEnded)]
    assert [event.answer.posted.count for event in ended] == [3, 10]


def second_day_with_a_cut(site: Site) -> None:
    """Ten payments; the line is cut when the bank has answered them, and then busy."""
    with site.open_counter():
        for number in range(1, 11):
            paid = site.pay(number % 2, f"1.{number:03d}", f"DEC-{number:06d}")
            assert isinstance(paid[0], Paid)

        def cut(progress: DayProgress) -> None:
            if progress.phase is DayPhase.SENDING and progress.done == 10:
                site.pair.drop_call()

        advice = site.close_day_in_vain(cut)
        assert str(advice.happened) == "The bank's number is busy."
        assert [one.number for one in site.counter.snapshot().unsettled] == [2]
        assert site.on_customs_card() == 10_055
    assert site.booked(PaymentKind.FEES) == 13_734 + 10_055
    # The next morning: the program starts anew on the same journal, and the first call
    # is cut before anything was said.
    told: list[DayProgress] = []

    def cut_first(progress: DayProgress) -> None:
        told.append(progress)
        sending = [step for step in told if step.phase is DayPhase.SENDING]
        if len(sending) == 1 and sending[0] is progress:
            site.pair.drop_call()

    with site.open_counter():
        result = site.close_day(cut_first)
    assert result.verdict is DayVerdict.COLLECTED, result.advice
    sending = [step.done for step in told if step.phase is DayPhase.SENDING]
    assert sending == [0, 0, 10], "what the bank holds is not sent again"
    calls = [event for event in site.events if isinstance(event, CallEnded)]
    assert [call.trouble is None for call in calls] == [True, False, False, True]


def test_a_batch_waits_until_line_and_bank_are_right(
    new_site: Callable[..., Site],
) -> None:
    # A busy number is tried twice.
    site = new_site(Outcome.NO_DIALTONE, Outcome.BUSY, Outcome.BUSY)
    with site.open_counter():
        take_three_payments(site)
        with site.serving(Authority.create(site.clock.now)):
            advice = [site.close_day_in_vain() for _ in range(3)]
        assert [str(one.happened) for one in advice[:2]] == [
            "There is no dial tone on the telephone line.",
            "The bank's number is busy.",
        ]
        assert "certificate" in str(advice[2].happened)
        assert "tell the bank" in str(advice[2].next_step)
        troubles = [one for one in site.events if isinstance(one, ModemTrouble)]
        assert len(troubles) == 1, "only the last of the three came through"
        assert [one.number for one in site.counter.snapshot().unsettled] == [1]
        assert site.on_customs_card() == 53_734
        assert site.batches_at_the_bank() == 0

        with site.serving():
            assert site.close_day().verdict is DayVerdict.COLLECTED
    site.assert_the_books_are_right(payments=3)


def test_what_the_purse_says_at_the_desk_reaches_counter_ledger_and_statement(
    new_site: Callable[..., Site],
) -> None:
    """One customer was debited and one was not; neither counter nor bank can tell."""
    site = new_site()
    with site.open_counter(), site.serving():
        site.cut_payment(0, "INV-2025-000001", kind="lost")
        assert site.close_day().verdict is DayVerdict.COLLECTED
        site.cut_payment(1, "INV-2025-000002", kind="unsent")
        assert site.close_day().verdict is DayVerdict.COLLECTED
        assert site.open_incidents() == [IncidentCode.OUTCOME_OPEN] * 2
        assert len(site.counter.interrupted()) == 2

        told = site.at_the_desk(0, "recover")
        assert "A payment of 12.500 OMR" in told
        assert "is proved: the card was debited, once" in told
        told = site.at_the_desk(1, "load", "1", pins=PIN.decode())
        assert "never took place: the card was not debited" in told
        assert site.open_incidents() == []

        # The next call brings the outcome, and the end of day after it the payment.
        site.close_day()
        assert site.counter.interrupted() == []
        assert site.on_customs_card() == 12_500
        assert site.close_day().verdict is DayVerdict.COLLECTED
        assert site.counter.snapshot().unsettled == ()
    site.assert_the_books_are_right(payments=3, closed=2)
    assert site.statement(PaymentKind.FEES) == [
        ("INV-2025-000001-A", 1_000),
        ("INV-2025-000002-A", 1_000),
        ("INV-2025-000001", 12_500),
    ]
    assert site.on_chips() == [LOADED_MINOR - 13_500, LOADED_MINOR]
