"""The first screen: is the counter ready, what is in the batch, what can be done."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

from textual import on
from textual.binding import Binding, BindingType
from textual.containers import Container, Vertical

from terminal.catalogue import msgid, tr, trn
from terminal.errors import Advice
from terminal.screens.base import CounterScreen
from terminal.snapshot import ReaderState
from terminal.widgets.amount import BigAmount
from terminal.widgets.facts import Facts
from terminal.widgets.menu import MenuChoice
from terminal.widgets.notice import Notice
from terminal.widgets.status import Level
from terminal.widgets.words import Words, time_text
from terminal.wording import disk_advice

if TYPE_CHECKING:
    from collections.abc import Iterable

    from textual.app import ComposeResult

    from terminal.orders import Paid
    from terminal.screens.payment import Draft
    from terminal.snapshot import CounterSnapshot


class HomeScreen(CounterScreen):
    """Where the counter rests between payments."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("f2", "app.new_payment", msgid("New payment"), key_display="F2"),
        Binding("f7", "app.interrupted", msgid("Interrupted"), key_display="F7"),
        Binding("f8", "app.end_of_day", msgid("End of day"), key_display="F8"),
    ]

    def compose_body(self) -> ComposeResult:
        """Readiness on top; what to do; batch and last payment."""
        yield Notice(id="home-notice")
        with Container(id="home-columns"):
            with Vertical(id="home-menu"):
                yield from _choices()
            with Container(id="home-side"):
                with Vertical(id="home-batch", classes="panel"):
                    yield BigAmount(id="home-total")
                    yield Words(id="home-count", classes="quiet")
                with Vertical(id="home-last", classes="panel"):
                    yield Words(id="home-last-word")
                    yield Facts(id="home-last-facts")

    def on_mount(self) -> None:
        """Name the panels and go to the thing done most."""
        self.query_one("#home-batch").border_title = tr("This batch")
        self.query_one("#home-last").border_title = tr("Last payment")
        self.query_one("#choose-payment").focus()

    def draw_body(self, picture: CounterSnapshot) -> None:
        """Draw everything again."""
        self._draw_notice(picture)
        self._draw_menu(picture)
        self._draw_batch(picture)
        self._draw_last(self.counter_app.last_paid)

    @on(MenuChoice.Chosen)
    async def take_choice(self, chosen: MenuChoice.Chosen) -> None:
        """Do what the function key does."""
        await self.run_action(chosen.action)

    def _draw_notice(self, picture: CounterSnapshot) -> None:
        level, advice = readiness(picture, started=self.counter_app.started)
        self.query_one("#home-notice", Notice).show_advice(level, advice)

    def _draw_menu(self, picture: CounterSnapshot) -> None:
        payment = payment_explanation(self.counter_app.draft)
        self.query_one("#choose-payment", MenuChoice).explain(payment)
        interrupted = interrupted_explanation(picture.interrupted)
        self.query_one("#choose-interrupted", MenuChoice).explain(interrupted)
        self.query_one("#choose-day", MenuChoice).explain(day_explanation(picture))

    def _draw_batch(self, picture: CounterSnapshot) -> None:
        batch = picture.batch
        total = None if batch is None else batch.total
        self.query_one("#home-total", BigAmount).show(total)
        self.query_one("#home-count", Words).show(
            tr("not known yet")
            if batch is None
            else trn("{count} payment", "{count} payments", count=batch.count)
        )

    def _draw_last(self, paid: Paid | None) -> None:
        word = self.query_one("#home-last-word", Words)
        if paid is None:
            word.show(tr("None since the program was started."))
            self.query_one("#home-last-facts", Facts).display = False
            return
        word.show(f"✓ {tr('Paid: {amount}', amount=paid.order.amount)}")
        facts = self.query_one("#home-last-facts", Facts)
        facts.display = True
        self.call_later(facts.show, self._last_facts(paid))

    def _last_facts(self, paid: Paid) -> Iterable[tuple[str, str]]:
        at = self.counter_app.local(paid.at)
        return (
            (tr("Declaration"), paid.order.declaration),
            (tr("Receipt"), str(paid.receipt_number)),
            (tr("Time"), time_text(at)),
        )


def readiness(picture: CounterSnapshot, *, started: bool) -> tuple[Level, Advice]:
    """The most important thing to know now, and what to do about it."""
    if not started:
        return Level.BUSY, _told(tr("Starting: looking at the readers and cards."))
    disk = picture.disk
    trouble = _trouble(picture) if disk is None else disk_advice(disk)
    if trouble is not None:
        return Level.BAD, trouble
    if picture.customs is None:
        happened = tr("No payments yet: the customs card is being read.")
        return Level.BUSY, _told(happened, tr("Leave it in its reader."))
    if picture.interrupted:
        happened = trn(
            "{count} payment was interrupted and is not settled yet.",
            "{count} payments were interrupted and are not settled yet.",
            count=picture.interrupted,
        )
        next_step = tr("Press F7 to see what to do. Other cards can pay meanwhile.")
        return Level.WARNING, _told(happened, next_step)
    if picture.unsettled:
        happened = trn(
            "{count} batch has not reached the bank yet. It is safe on this counter.",
            "{count} batches have not reached the bank yet. They are safe on this "
            "counter.",
            count=len(picture.unsettled),
        )
        return Level.WARNING, _told(happened, tr("Press F8 to send what waits."))
    return Level.GOOD, _told(tr("Ready for a payment."), tr("Press F2 to begin."))


def _trouble(picture: CounterSnapshot) -> Advice | None:
    """What keeps this counter from taking any payment, and what to do."""
    customs = picture.customs_reader
    if picture.purse_reader.state is ReaderState.MISSING:
        return _told(
            tr("No payments now: the customer's card reader is missing."),
            tr("Plug the reader in; if it is, have its name checked."),
        )
    if customs.state is ReaderState.MISSING:
        return _told(
            tr("No payments now: the customs card's reader is missing."),
            tr("Plug the reader in; if it is, have its name checked."),
        )
    if picture.trouble is not None:
        return picture.trouble
    if customs.state is ReaderState.WRONG_CARD:
        return _told(
            tr("No payments now: the card in the customs reader is not usable there."),
            tr("Put this counter's customs card into its own reader."),
        )
    if customs.state is ReaderState.EMPTY:
        return _told(
            tr("No payments now: there is no customs card."),
            tr("Put the customs card into its reader."),
        )
    return None


def _told(happened: str, next_step: str = "") -> Advice:
    """Where no money is at stake, nothing is said of it."""
    return Advice(happened=happened, money="", next_step=next_step)


def payment_explanation(draft: Draft) -> str:
    """What F2 would do."""
    if draft.declaration or draft.amount:
        what = draft.declaration or draft.amount
        return tr("Begun already: {what}", what=what)
    return tr("Take fees or a deposit from a card.")


def interrupted_explanation(count: int) -> str:
    """What F7 would show."""
    if count == 0:
        return tr("None: every payment has come to its end.")
    return trn("{count} payment to settle.", "{count} payments to settle.", count=count)


def day_explanation(picture: CounterSnapshot) -> str:
    """What F8 would send."""
    count = 0 if picture.batch is None else picture.batch.count
    waiting = len(picture.unsettled)
    if count == 0 and waiting == 0:
        return tr("Nothing to send to the bank now.")
    return trn(
        "Send {count} payment to the bank.",
        "Send {count} payments to the bank.",
        count=count + sum(batch.count for batch in picture.unsettled),
    )


def _choices() -> Iterable[MenuChoice]:
    yield MenuChoice(
        key="F2",
        title=tr("New payment"),
        action="app.new_payment",
        id="choose-payment",
    )
    yield MenuChoice(
        key="F7",
        title=tr("Interrupted payments"),
        action="app.interrupted",
        id="choose-interrupted",
    )
    yield MenuChoice(
        key="F8", title=tr("End of day"), action="app.end_of_day", id="choose-day"
    )
