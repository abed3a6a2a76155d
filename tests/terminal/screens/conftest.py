"""A counter that does what a test tells it, and the app on top of it."""

from __future__ import annotations

import asyncio
import html
import re
import threading
from collections import deque
from contextlib import asynccontextmanager, suppress
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta, timezone
from typing import TYPE_CHECKING, TypeAlias

import pytest
from textual.events import Key
from textual.worker import WorkerCancelled

from card.profile import Role
from settlement.errors import AmountError, DeclarationError
from settlement.money import CURRENCIES, Money, parse_amount
from settlement.payment import DeclarationFormat, PaymentDetails, PaymentKind
from terminal.app import CounterApp
from terminal.day import (
    BatchOutcome,
    DayPhase,
    DayProgress,
    DayResult,
    DayVerdict,
    Share,
)
from terminal.errors import (
    Advice,
    CardProblemCode,
    CardProblemError,
    InputError,
    InputField,
    JournalError,
    TerminalError,
)
from terminal.interrupted import warned_of
from terminal.orders import (
    InterruptedPayment,
    InterruptedState,
    Paid,
    PaymentOrder,
    PurseSeen,
    Receipt,
    RecoveryOutcome,
    RecoveryVerdict,
    RefusalReason,
    Refused,
    Unknown,
)
from terminal.snapshot import (
    BatchView,
    CounterEvent,
    CounterEventKind,
    CounterSnapshot,
    CustomsCardView,
    LineState,
    ReaderState,
    ReaderView,
    UnsettledBatch,
)

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable

    from textual.message import Message
    from textual.pilot import Pilot
    from textual.worker import Worker

    from terminal.orders import PaymentResult

OMR = CURRENCIES["OMR"]
ZONE = timezone(timedelta(hours=4), "GST")
NOW = datetime(2026, 11, 23, 14, 5, tzinfo=ZONE)
CARD = "640000******0001"
MERCHANT = "435553******0007"
DECLARATION = "IM-2026/001234"

Answer: TypeAlias = "PaymentResult | TerminalError"

# A test that forgets to open the gate fails instead of hanging.
GATE_SECONDS = 10
# So many turns of the loop without a message, and everything drawn is drawn.
STILL_ROUNDS = 5
# Width of a cell in the pictures that Textual exports.
SVG_CELL = 12.2
NAMED_KEYS = frozenset({"f2", "f6", "tab", "shift+tab", "enter", "escape"})
KEYS = {"/": "slash", "-": "minus", ".": "full_stop", " ": "space"}


def omr(amount_minor: int) -> Money:
    return Money(amount_minor=amount_minor, currency=OMR)


def reader(role: Role, state: ReaderState) -> ReaderView:
    return ReaderView(role=role, name=f"Raseed {role}", state=state)


def picture(  # noqa: PLR0913 (a picture has this many parts)
    *,
    purse: ReaderState = ReaderState.EMPTY,
    customs: ReaderState = ReaderState.READY,
    count: int = 34,
    total_minor: int = 1_234_500,
    unsettled: tuple[UnsettledBatch, ...] = (),
    interrupted: int = 0,
    line: LineState = LineState.IDLE,
) -> CounterSnapshot:
    """A counter with the customs card in place and a day's work done."""
    ready = customs is ReaderState.READY
    card = CustomsCardView(
        merchant_masked=MERCHANT,
        holder="SOHAR CUSTOMS",
        expiry=date(2030, 12, 31),
        open_count=interrupted,
    )
    return CounterSnapshot(
        terminal_id="T0000007",
        office="SOHAR",
        clerk="1",
        currency=OMR,
        purse_reader=reader(Role.PURSE, purse),
        customs_reader=reader(Role.CUSTOMS, customs),
        customs=card if ready else None,
        batch=BatchView(number=12, count=count, total=omr(total_minor)),
        unsettled=unsettled,
        interrupted=interrupted,
        line=line,
    )


def waiting_batch(number: int = 11) -> UnsettledBatch:
    return UnsettledBatch(
        number=number, count=41, total=omr(987_250), closed_at=NOW - timedelta(days=1)
    )


def purse(*, tries_left: int = 3, balance_minor: int = 500_000) -> PurseSeen:
    return PurseSeen(
        card_number_masked=CARD,
        holder="AL NOOR TRADING",
        language="en",
        expiry=date(2030, 12, 31),
        balance=omr(balance_minor),
        payment_limit=omr(2_000_000),
        tries_left=tries_left,
        insertion=1,
        card_id=bytes.fromhex("6400000000000001"),
    )


def order(amount_minor: int = 12_500, declaration: str = DECLARATION) -> PaymentOrder:
    details = PaymentDetails(declaration=declaration, kind=PaymentKind.FEES, clerk="1")
    return PaymentOrder(details=details, amount=omr(amount_minor))


def problem(code: CardProblemCode, happened: str, next_step: str) -> CardProblemError:
    advice = Advice(happened=happened, money="Nothing was taken.", next_step=next_step)
    return CardProblemError(code, advice)


NO_CARD = problem(
    CardProblemCode.NO_CARD,
    "There is no card in the reader.",
    "Insert the customer's card.",
)
FOREIGN = problem(
    CardProblemCode.FOREIGN_CARD,
    "This is not a Raseed card.",
    "Give it back and ask for the card that the bank issued for customs fees.",
)


def paid(asked: PaymentOrder, number: int = 7) -> Paid:
    return Paid(
        number=number,
        receipt_number=5,
        order=asked,
        card_number_masked=CARD,
        balance_after=omr(487_500),
        at=NOW.astimezone(UTC),
        approval="418203",
        credited=True,
        advice=Advice(
            happened="The fee is paid.",
            money="The amount was taken from the card and is in the customs card.",
            next_step="Give the card back.",
        ),
    )


def wrong_pin(asked: PaymentOrder, tries_left: int = 2) -> Refused:
    return Refused(
        number=7,
        order=asked,
        reason=RefusalReason.PIN_WRONG,
        tries_left=tries_left,
        can_retry=True,
        advice=Advice(
            happened=f"The PIN is wrong; tries left: {tries_left}.",
            money="Nothing was taken from the card.",
            next_step="Enter the PIN again.",
        ),
    )


def too_low(asked: PaymentOrder) -> Refused:
    return Refused(
        number=7,
        order=asked,
        reason=RefusalReason.BALANCE_TOO_LOW,
        tries_left=None,
        can_retry=False,
        advice=Advice(
            happened="The card holds less than the amount.",
            money="Nothing was taken from the card.",
            next_step="Ask for another card, or have this one loaded at the bank.",
        ),
    )


def unknown(asked: PaymentOrder, number: int = 7) -> Unknown:
    return Unknown(
        number=number,
        order=asked,
        card_number_masked=CARD,
        advice=Advice(
            happened="The card left the reader before it answered.",
            money="It is not known yet whether the amount was taken.",
            next_step=f"Put card {CARD} back: the counter finds out by itself.",
        ),
    )


RECEIPT = Receipt(
    number=6, at=NOW.astimezone(UTC), approval="418203", balance_after=omr(487_500)
)


def outcome(verdict: RecoveryVerdict, number: int = 7) -> RecoveryOutcome:
    words = {
        RecoveryVerdict.PAID: ("The payment had been made.", "The amount was taken."),
        RecoveryVerdict.NOT_PAID: ("The payment was not made.", "Nothing was taken."),
        RecoveryVerdict.LEFT_TO_BANK: (
            "The card cannot tell any more.",
            "The bank decides.",
        ),
        RecoveryVerdict.STILL_UNKNOWN: (
            "The card was pulled out again.",
            "Still not known.",
        ),
    }[verdict]
    return RecoveryOutcome(
        verdict=verdict,
        number=number,
        receipt=RECEIPT if verdict is RecoveryVerdict.PAID else None,
        declaration=DECLARATION,
        kind=PaymentKind.DEPOSITS,
        amount=omr(12_500),
        card_number_masked=CARD,
        advice=Advice(happened=words[0], money=words[1], next_step="Go on."),
    )


def interrupted_payment(
    state: InterruptedState = InterruptedState.UNKNOWN,
    number: int = 7,
    *,
    declaration: str = DECLARATION,
) -> InterruptedPayment:
    return InterruptedPayment(
        number=number,
        declaration=declaration,
        amount=omr(12_500),
        card_number_masked=CARD,
        at=NOW - timedelta(minutes=20),
        state=state,
        advice=Advice(
            happened="The card left the reader before it answered.",
            money="It is not known yet whether the amount was taken.",
            next_step=f"Put card {CARD} back into the reader; it settles by itself.",
        ),
    )


COLLECTED = DayResult(
    verdict=DayVerdict.COLLECTED,
    batches=(
        BatchOutcome(
            number=12, count=34, total=omr(1_234_500), open_count=0, collected=True
        ),
    ),
    advice=Advice(
        happened="The bank has taken every batch.",
        money="1,234.500 OMR are credited to customs, payment by payment.",
        next_step="Nothing. The next payment opens batch 13.",
    ),
)
LINE_BUSY = DayResult(
    verdict=DayVerdict.PENDING,
    batches=(
        BatchOutcome(
            number=12, count=34, total=omr(1_234_500), open_count=0, collected=False
        ),
    ),
    advice=Advice(
        happened="The bank's line is busy.",
        money="No money moved; the batch is safe on this counter.",
        next_step="Send it again in a few minutes.",
    ),
    failed_phase=DayPhase.DIALLING,
)
HELD = DayResult(
    verdict=DayVerdict.COLLECTED,
    batches=(
        BatchOutcome(
            number=12,
            count=34,
            total=omr(1_234_500),
            open_count=0,
            collected=True,
            posted=Share(count=33, total=omr(1_222_000)),
            suspended=Share(count=1, total=omr(12_500)),
        ),
    ),
    advice=Advice(
        happened="The bank has taken every batch; it holds 1 payment.",
        money="12.500 OMR are held at the bank until it has looked into them.",
        next_step="Keep the receipts; the bank calls if it needs them.",
    ),
)
PROGRESS = (
    DayProgress(phase=DayPhase.CLOSING, batch=12),
    DayProgress(phase=DayPhase.DIALLING, detail="5551234"),
    DayProgress(phase=DayPhase.SECURING, detail="9600 bit/s"),
    DayProgress(phase=DayPhase.SENDING, batch=12, done=20, total=34),
)


class FakeCounter:
    """Answers as told, and remembers what it was asked.

    Attributes:
        results: what each `pay` answers, in order; an error is raised.
        gate: `pay` and `close_day` wait for it, so that a test can look meanwhile.
        pin_lengths: how many digits each `pay` was given; never which.
    """

    def __init__(self) -> None:
        self.now_shown = picture()
        self.seen: PurseSeen | TerminalError = NO_CARD
        self.results: deque[Answer] = deque()
        self.known_refusal: Refused | None = None
        self.recovered: list[RecoveryOutcome] = []
        self.recovered_at_start: list[RecoveryOutcome] = []
        self.broken = ""
        self.open: list[InterruptedPayment] = []
        self.earlier: list[InterruptedPayment] = []
        self.progress: tuple[DayProgress, ...] = PROGRESS
        self.day: DayResult | TerminalError = COLLECTED
        self.gate = threading.Event()
        self.gate.set()
        self.orders: list[PaymentOrder] = []
        self.pins: list[bytearray] = []
        self.pin_lengths: list[int] = []
        self.calls: list[str] = []
        self._listeners: list[Callable[[CounterEvent], None]] = []

    def start(self) -> list[RecoveryOutcome]:
        self.calls.append("start")
        if self.broken:
            raise JournalError(self.broken)
        return self.recovered_at_start

    def stop(self) -> None:
        self.calls.append("stop")

    def subscribe(self, listener: Callable[[CounterEvent], None]) -> Callable[[], None]:
        self._listeners.append(listener)
        return lambda: self._listeners.remove(listener)

    def snapshot(self) -> CounterSnapshot:
        return self.now_shown

    def check_order(
        self, declaration_text: str, amount_text: str, kind: PaymentKind
    ) -> PaymentOrder:
        self.calls.append("check_order")
        try:
            declaration = DeclarationFormat().check(declaration_text)
        except DeclarationError as error:
            raise InputError(InputField.DECLARATION, str(error)) from error
        try:
            amount = parse_amount(amount_text, OMR, max_minor=2_000_000)
        except AmountError as error:
            raise InputError(InputField.AMOUNT, str(error)) from error
        details = PaymentDetails(declaration=declaration, kind=kind, clerk="1")
        return PaymentOrder(details=details, amount=amount)

    def earlier_payments(self, order: PaymentOrder) -> list[InterruptedPayment]:
        return [each for each in self.earlier if warned_of(each) not in order.warned]

    def go_on_all_the_same(self, order: PaymentOrder) -> PaymentOrder:
        self.calls.append("go_on_all_the_same")
        if self.broken:
            raise JournalError(self.broken)
        return replace(order, warned=frozenset(map(warned_of, self.earlier)))

    def read_purse(self) -> PurseSeen:
        self.calls.append("read_purse")
        if isinstance(self.seen, TerminalError):
            raise self.seen
        return self.seen

    def check_purse(self, order: PaymentOrder, purse: PurseSeen) -> Refused | None:
        return self.known_refusal

    def pay(
        self, order: PaymentOrder, purse: PurseSeen, pin: bytearray
    ) -> PaymentResult:
        self.calls.append("pay")
        self.orders.append(order)
        self.pins.append(pin)
        self.pin_lengths.append(len(pin))
        self.gate.wait(GATE_SECONDS)
        pin[:] = bytes(len(pin))
        result = self.results.popleft()
        if isinstance(result, TerminalError):
            raise result
        return result

    def on_card_inserted(self) -> list[RecoveryOutcome]:
        self.calls.append("on_card_inserted")
        return self.recovered

    def interrupted(self) -> list[InterruptedPayment]:
        return self.open

    def close_day(self, on_progress: Callable[[DayProgress], None]) -> DayResult:
        self.calls.append("close_day")
        for progress in self.progress:
            on_progress(progress)
        self.gate.wait(GATE_SECONDS)
        if isinstance(self.day, TerminalError):
            raise self.day
        return self.day

    def tell(self, kind: CounterEventKind, role: Role | None = Role.PURSE) -> None:
        for listener in tuple(self._listeners):
            listener(CounterEvent(kind=kind, role=role))

    def insert(self, seen: PurseSeen | TerminalError) -> None:
        self.seen = seen
        self.tell(CounterEventKind.CARD_INSERTED)

    def remove(self) -> None:
        self.seen = NO_CARD
        self.tell(CounterEventKind.CARD_REMOVED)


class Desk:
    """The app on top of a counter, with a clerk's two hands and eyes."""

    def __init__(
        self, counter: FakeCounter, app: CounterApp, pilot: Pilot[None]
    ) -> None:
        self.counter = counter
        self.app = app
        self._pilot = pilot

    async def press(self, *keys: str) -> None:
        """Press keys one after the other and wait for what comes of each."""
        for key in keys:
            if len(key) == 1:
                self.app.post_message(Key(key, key))
            else:
                await self.settle()
                self.app.post_message(Key(key, "\r" if key == "enter" else None))
                await self.settle()
        if len(keys[-1]) == 1:
            await self.settle()

    async def press_at_once(self, *keys: str) -> None:
        """Press keys without waiting for what comes of any of them."""
        for key in keys:
            self.app.post_message(Key(key, None))
        await self.settle()

    async def scan(self, *parts: str) -> None:
        """Type keys and texts as fast as a scanner does: without any pause."""
        for part in parts:
            if part in NAMED_KEYS:
                self.app.post_message(Key(part, None))
                continue
            for char in part:
                self.app.post_message(Key(KEYS.get(char, char), char))
        await self.settle()

    async def write(self, text: str) -> None:
        """Type a text."""
        for char in text:
            self.app.post_message(Key(KEYS.get(char, char), char))
        await self.settle()

    async def breathe(self) -> None:
        """Let the app draw, without waiting for what is under way."""
        # Drawing tells widgets of their new sizes, and what they do then is drawn too.
        for _ in range(2):
            still = 0
            while still < STILL_ROUNDS:
                await asyncio.sleep(0)
                still = 0 if self._has_messages() else still + 1
            self.app.screen._on_timer_update()

    async def settle(self) -> None:
        """Wait until nothing is under way but what the gate holds back."""
        await self.breathe()
        while waiting := [one for one in self.app.workers if not self._is_held(one)]:
            # A screen that is left gives up what it was waiting for.
            with suppress(WorkerCancelled):
                await self.app.workers.wait_for_complete(waiting)
            await self.breathe()

    async def to_card(self, asked: PaymentOrder | None = None) -> None:
        """Go to the card screen with these details, without typing them again."""
        self.app.change_details(asked or order())
        await self.settle()
        await self.press("f2")

    async def pay(self, *results: Answer) -> None:
        """Go through a payment with a card in the reader, up to its result."""
        self.counter.seen = purse()
        self.counter.results.extend(results)
        await self.to_card()
        await self.press(*"1234", "enter")

    @property
    def screen_name(self) -> str:
        return type(self.app.screen).__name__

    @property
    def rows(self) -> list[str]:
        """What is on the screen, row by row."""
        svg = self.app.export_screenshot()
        found: dict[float, str] = {}
        pattern = (
            r'<text class="[^"]*-r\d+" x="([\d.]+)" y="([\d.]+)"[^>]*>(.*?)</text>'
        )
        for x, y, text in re.findall(pattern, svg):
            column = round(float(x) / SVG_CELL)
            shown = html.unescape(text).replace("\xa0", " ")
            found[float(y)] = found.get(float(y), "").ljust(column) + shown
        return [found[y].rstrip() for y in sorted(found)]

    @property
    def text(self) -> str:
        """What is on the screen, as one text with single blanks."""
        return " ".join(" ".join(self.rows).split())

    def _has_messages(self) -> bool:
        nodes = (self.app, *self.app._registry)
        return any(node.message_queue_size for node in nodes)

    def _is_held(self, worker: Worker[object]) -> bool:
        if worker.is_finished:
            return True
        return not self.counter.gate.is_set() and worker.group in {"pay", "day"}


@asynccontextmanager
async def sitting(
    counter: FakeCounter,
    *,
    size: tuple[int, int] = (80, 24),
    message_hook: Callable[[Message], None] | None = None,
) -> AsyncIterator[Desk]:
    """Sit down at a counter."""
    app = CounterApp(counter, lambda: NOW)
    async with app.run_test(size=size, message_hook=message_hook) as pilot:
        desk = Desk(counter, app, pilot)
        await desk.settle()
        try:
            yield desk
        finally:
            counter.gate.set()
            await desk.settle()


@pytest.fixture
def counter() -> FakeCounter:
    return FakeCounter()
