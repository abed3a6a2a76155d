"""The counter's application: it holds the screens together and asks the counter.

Theory of operation. One asyncio loop draws. Everything that may block (cards, line,
journal) is a call to the counter in another thread, made by `CounterApp.call`; calls
that use the customer's card wait for each other. The counter tells of cards and
readers from a thread of its own: the listener posts a message and does nothing else.
After each change the app takes a new snapshot and gives it to every screen.

A PIN passes through `CounterApp.pay` only as a function that hands it over at the
last moment, so that no message, worker description or waiting coroutine holds it.
"""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import TYPE_CHECKING, ClassVar, TypeVar

from rich.segment import Segments
from rich.traceback import Traceback
from textual import on
from textual.app import App
from textual.binding import Binding, BindingType
from textual.events import Key, Paste
from textual.message import Message

from settlement.money import format_amount
from terminal.catalogue import msgid, tr
from terminal.day import DayResult, DayVerdict
from terminal.errors import Advice, CardProblemCode, CardProblemError, TerminalError
from terminal.orders import Paid, RecoveryVerdict, Unknown
from terminal.screens.background import begin
from terminal.screens.base import CounterScreen
from terminal.screens.day import DayScreen
from terminal.screens.dialogs import LeaveQuestion, Trouble
from terminal.screens.help import Help
from terminal.screens.home import HomeScreen
from terminal.screens.interrupted import InterruptedScreen
from terminal.screens.keystrokes import Keystroke, Keystrokes
from terminal.screens.news import News
from terminal.screens.payment import Draft, PaymentScreen
from terminal.screens.settled import Settled
from terminal.snapshot import CounterEventKind
from terminal.widgets.palette import DARK, LIGHT, THEMES

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from datetime import datetime
    from pathlib import PurePath

    from textual.events import Event

    from settlement.money import Money
    from settlement.payment import PaymentKind
    from terminal.day import DayPhase, DayProgress
    from terminal.orders import (
        InterruptedPayment,
        PaymentOrder,
        PaymentResult,
        PurseSeen,
        RecoveryOutcome,
        Refused,
    )
    from terminal.service import CounterService
    from terminal.snapshot import CounterEvent, CounterSnapshot

Answer = TypeVar("Answer")

TICK_SECONDS = 1.0
# Nothing tells when a disk fills up or has space again, so it is looked at.
LOOK_SECONDS = 5.0


class CounterApp(App[None]):
    """The counter's screens.

    Args:
        counter: does the work; every call to it is made from here.
        clock: the time, with the zone that times are shown in.
    """

    # Absolute, because Textual looks beside the file of the class in use, which for
    # a subclass is another one.
    CSS_PATH: ClassVar[str | PurePath | list[str | PurePath] | None] = Path(
        __file__
    ).with_name("style.tcss")
    ENABLE_COMMAND_PALETTE = False
    # Textual's own keys for quitting, suspending and copying end a program that a
    # clerk must not end by a slip of the hand: they ask, or do nothing.
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("f1", "help", msgid("Help"), key_display="F1"),
        Binding("f9", "colours", msgid("Colours"), key_display="F9"),
        Binding("f10", "leave", msgid("Leave"), key_display="F10"),
        Binding("ctrl+q", "leave", show=False, priority=True),
        Binding("ctrl+c,ctrl+z", "nothing", show=False, priority=True),
    ]

    class CounterChanged(Message):
        """The counter told of a change."""

        def __init__(self, event: CounterEvent) -> None:
            super().__init__()
            self.event = event

    def __init__(self, counter: CounterService, clock: Callable[[], datetime]) -> None:
        super().__init__()
        self._counter = counter
        self._clock = clock
        self._cards = asyncio.Lock()
        self._keystrokes = Keystrokes(self, self._deliver)
        self._busy = 0
        self._is_stopping = False
        self._unsubscribe: Callable[[], None] | None = None
        self.picture = counter.snapshot()
        self.draft = Draft()
        self.last_paid: Paid | None = None
        self.settled = Settled()
        self.started = False
        for theme in THEMES:
            self.register_theme(theme)
        self.theme = DARK.name
        self.title = tr("Raseed counter")

    def get_theme_variable_defaults(self) -> dict[str, str]:
        """Textual parses the style sheet before a theme of ours is chosen."""
        return DARK.variables

    # The life of the program

    def on_mount(self) -> None:
        """Show the home screen and have the counter look at its cards."""
        self._unsubscribe = self._counter.subscribe(self._heard)
        self.set_interval(TICK_SECONDS, self._tick)
        self.set_interval(LOOK_SECONDS, self.look_again)
        self.push_screen(HomeScreen())
        begin(self, self._start, group="start")

    def on_unmount(self) -> None:
        """Listen no longer."""
        self._listen_no_longer()

    def _listen_no_longer(self) -> None:
        if self._unsubscribe is not None:
            self._unsubscribe()
            self._unsubscribe = None

    async def _start(self) -> None:
        outcomes = await self._card_call(self._counter.start)
        self.started = True
        self.redraw()
        self._tell(outcomes or ())

    async def _stop(self) -> None:
        # A counter that has stopped has no journal to take a snapshot from.
        self._is_stopping = True
        self._listen_no_longer()
        await self.call(self._counter.stop)
        self.exit()

    # What screens ask for

    def now(self) -> datetime:
        """The time, in the zone of the counter."""
        return self._clock()

    def local(self, moment: datetime) -> datetime:
        """A moment in the zone of the counter."""
        return moment.astimezone(self.now().tzinfo)

    async def call(self, job: Callable[[], Answer]) -> Answer:
        """Do something that may block, in another thread."""
        return await asyncio.to_thread(job)

    async def check_order(self, draft: Draft) -> PaymentOrder:
        """Make an order of a draft.

        Raises:
            InputError: naming the field and what is wrong with it.
        """
        return await self.call(
            lambda: self._counter.check_order(
                draft.declaration, draft.amount, draft.kind
            )
        )

    async def read_purse(
        self, order: PaymentOrder
    ) -> PurseSeen | Refused | CardProblemError:
        """The card in the customer's reader, or why it cannot pay this order."""

        def read() -> PurseSeen | Refused:
            purse = self._counter.read_purse()
            return self._counter.check_purse(order, purse) or purse

        async with self._cards:
            try:
                return await self.call(read)
            except CardProblemError as problem:
                return problem
            except TerminalError as error:
                return CardProblemError(CardProblemCode.CARD_FAULT, _advice_on(error))
            finally:
                self.redraw()

    async def pay(
        self, order: PaymentOrder, purse: PurseSeen, take_pin: Callable[[], bytearray]
    ) -> PaymentResult | CardProblemError:
        """Take one payment.

        Args:
            order: what to pay.
            purse: the card, as it was read.
            take_pin: hands the PIN over; the counter overwrites it after use.
        """
        self._busy += 1
        try:
            async with self._cards:
                pin = take_pin()
                result = await self.call(lambda: self._counter.pay(order, purse, pin))
        except CardProblemError as problem:
            return problem
        finally:
            self._busy -= 1
            self.redraw()
        self._remember(result)
        return result

    async def earlier_payments(
        self, order: PaymentOrder
    ) -> list[InterruptedPayment] | None:
        """What to warn of before this order is taken; None when that is not known."""
        return await self._card_call(lambda: self._counter.earlier_payments(order))

    async def go_on_all_the_same(self, order: PaymentOrder) -> PaymentOrder | None:
        """Have it noted that the clerk goes on; None when it could not be."""
        return await self._card_call(lambda: self._counter.go_on_all_the_same(order))

    async def interrupted_payments(self) -> tuple[InterruptedPayment, ...]:
        """Payments whose end is still open, oldest first."""
        return tuple(await self.call(self._counter.interrupted))

    async def close_day(self, on_progress: Callable[[DayProgress], None]) -> DayResult:
        """Close the batch and send what waits.

        Args:
            on_progress: called from another thread.
        """
        reached: DayPhase | None = None

        def follow(progress: DayProgress) -> None:
            nonlocal reached
            reached = progress.phase
            on_progress(progress)

        self._busy += 1
        try:
            return await self.call(lambda: self._counter.close_day(follow))
        except TerminalError as error:
            return DayResult(
                verdict=DayVerdict.PENDING,
                batches=(),
                advice=_advice_on(error),
                failed_phase=reached,
            )
        finally:
            self._busy -= 1
            # Closing may have settled interrupted payments; their news come this way.
            begin(self, self._card_came, group="card")

    # Keys

    async def on_event(self, event: Event) -> None:
        """Have keys wait for the effect of those before them."""
        if isinstance(event, Key | Paste) and not event.is_forwarded:
            self._keystrokes.take(event)
        else:
            await super().on_event(event)

    async def _deliver(self, keystroke: Keystroke) -> None:
        await super().on_event(keystroke)

    def action_new_payment(self) -> None:
        """Begin a payment, or go on with the one that was begun."""
        self.push_screen(PaymentScreen())

    def action_interrupted(self) -> None:
        """Show the payments that were cut short."""
        self.push_screen(InterruptedScreen())

    def action_end_of_day(self) -> None:
        """Ask whether to close the day."""
        self.push_screen(DayScreen())

    def action_help(self) -> None:
        """Show the keys."""
        self.push_screen(Help())

    def action_colours(self) -> None:
        """Light or dark."""
        self.theme = LIGHT.name if self.theme == DARK.name else DARK.name

    def action_leave(self) -> None:
        """Ask whether to end the program; not in the middle of something."""
        if isinstance(self.screen, LeaveQuestion):
            return
        if self._busy:
            self.notify(tr("Wait until this is finished."), severity="warning")
            return
        self.push_screen(LeaveQuestion(), self._leave_if)

    def action_nothing(self) -> None:
        """Keys that must not do what they usually do."""

    def go_home(self) -> None:
        """Back to the home screen, whatever is on top of it."""
        while not isinstance(self.screen, HomeScreen):
            self.pop_screen()

    def change_details(self, order: PaymentOrder) -> None:
        """Begin with the details of a payment that was not taken."""
        self._begin_with(order.declaration, order.amount, order.kind)

    def can_take_again(self, outcome: RecoveryOutcome) -> bool:
        """Whether a payment that was cut short can be begun again with its details.

        Not while another one has been begun: what was typed for that would be lost.
        """
        is_free = self.draft == Draft() or self._is_draft_of(outcome.declaration)
        is_known = bool(outcome.declaration) and outcome.kind is not None
        not_paid = outcome.verdict is RecoveryVerdict.NOT_PAID
        return is_free and is_known and not_paid

    def take_again(self, outcome: RecoveryOutcome) -> None:
        """Begin again with the details of a payment that was cut short."""
        if outcome.kind is not None and self.can_take_again(outcome):
            self.go_home()
            self._begin_with(outcome.declaration, outcome.amount, outcome.kind)

    def _begin_with(self, declaration: str, amount: Money, kind: PaymentKind) -> None:
        text = format_amount(amount.amount_minor, amount.currency)
        self.draft = Draft(declaration=declaration, amount=text, kind=kind)
        self.action_new_payment()

    def _leave_if(self, agreed: bool | None) -> None:
        if agreed:
            begin(self, self._stop, group="stop")

    # Changes

    def _heard(self, event: CounterEvent) -> None:
        # Called from a thread of the counter's: posting is all that is safe there.
        self.post_message(self.CounterChanged(event))

    @on(CounterChanged)
    def take_change(self, changed: CounterChanged) -> None:
        """Draw what changed, and deal with a card that came."""
        self.redraw()
        match changed.event.kind:
            case CounterEventKind.CARD_INSERTED:
                begin(self, self._card_came, group="card")
            case CounterEventKind.CARD_REMOVED | CounterEventKind.READERS_CHANGED:
                self._cards_changed()
            case CounterEventKind.NEWS:
                begin(self, self._news_came, group="news")
            case CounterEventKind.STATE_CHANGED:
                pass

    async def _card_came(self) -> None:
        await self._news_came()
        self._cards_changed()

    async def _news_came(self) -> None:
        outcomes = await self._card_call(self._counter.on_card_inserted)
        self.redraw()
        self._tell(outcomes or ())

    def look_again(self) -> None:
        """Draw what changes without anybody telling: the space on the disk."""
        begin(self, self._look, group="look", exclusive=True)

    async def _look(self) -> None:
        had_trouble = self.picture.disk is not None
        picture = await self.call(self._counter.snapshot)
        if self._is_stopping or not self.started:
            return
        self._show(picture)
        if had_trouble and picture.disk is None:
            await self._card_came()

    def redraw(self) -> None:
        """Take a new snapshot and give it to every screen."""
        if self._is_stopping:
            return
        self._show(self._counter.snapshot())

    def _show(self, picture: CounterSnapshot) -> None:
        self.picture = picture
        for screen in self._counter_screens():
            screen.draw(self.picture)

    def _cards_changed(self) -> None:
        for screen in self._counter_screens():
            screen.cards_changed()

    def _counter_screens(self) -> list[CounterScreen]:
        return [
            screen
            for screen in self.screen_stack
            if isinstance(screen, CounterScreen) and screen.is_drawable
        ]

    def _tick(self) -> None:
        for screen in self._counter_screens():
            screen.draw_time(self.now())

    def _tell(self, outcomes: Sequence[RecoveryOutcome]) -> None:
        untold = []
        for outcome in outcomes:
            if outcome.verdict is RecoveryVerdict.PAID:
                self._forget_draft_of(outcome.declaration)
            self.settled.keep(outcome)
            # Also those that are not drawn yet: the result may just have come.
            screens = [s for s in self.screen_stack if isinstance(s, CounterScreen)]
            if not any(screen.settle(outcome) for screen in screens):
                untold.append(outcome)
        if untold:
            self.push_screen(News(untold))

    def _remember(self, result: PaymentResult) -> None:
        if isinstance(result, Paid):
            self.last_paid = result
        # A payment that may have been taken must not be lying there ready to be
        # taken a second time.
        if isinstance(result, Paid | Unknown):
            self.draft = Draft()

    def _forget_draft_of(self, declaration: str) -> None:
        if self._is_draft_of(declaration):
            self.draft = Draft()

    def _is_draft_of(self, declaration: str) -> bool:
        return self.draft.declaration.strip().upper() == declaration

    async def _card_call(self, job: Callable[[], Answer]) -> Answer | None:
        async with self._cards:
            try:
                return await self.call(job)
            except TerminalError as error:
                self.push_screen(Trouble(_advice_on(error)))
                return None

    # Faults

    def _fatal_error(self) -> None:
        """Show an unexpected fault without the values of local variables.

        Textual prints them with every traceback, and one of them may be a PIN.
        """
        self.bell()
        traceback = Traceback(show_locals=False, width=None)
        rendered = self.console.render(traceback, self.console.options)
        self._exit_renderables.append(Segments(rendered))
        self._close_messages_no_wait()


def _advice_on(error: TerminalError) -> Advice:
    return Advice(
        happened=str(error),
        money=tr("Payments that were finished before are safe in the journal."),
        next_step=tr("Take no payments; have the counter looked at, then restart it."),
    )
