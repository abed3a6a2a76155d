"""A clerk and a customer who work the counter's real screens, key by key.

The clerk is slow-witted on purpose: it looks at the screen, waits until what it expects
is there, presses keys, and never calls the counter behind the screens. A picture of
each screen is taken when it is first seen.
"""

from __future__ import annotations

import asyncio
import re
import time
from dataclasses import dataclass
from statistics import median
from typing import TYPE_CHECKING, Final, TypeVar

from textual.events import Key

from card.profile import Role
from settlement.payment import PaymentKind
from sim.story import CUSTOMERS, StoryPayment
from terminal.orders import Paid, RefusalReason, Refused
from terminal.screens.card import CardScreen
from terminal.screens.card import CardState as Step
from terminal.screens.day import DayScreen, DayState
from terminal.screens.home import HomeScreen
from terminal.screens.payment import PaymentScreen
from terminal.screens.result import ResultScreen
from terminal.snapshot import CounterEventKind
from terminal.widgets.phases import Phases

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from textual.pilot import Pilot

    from sim.meter import Reading
    from sim.site import Site
    from terminal.app import CounterApp
    from terminal.day import DayPhase, DayResult
    from terminal.screens.base import CounterScreen
    from terminal.service import CounterService
    from terminal.snapshot import CounterEvent

__all__ = ["Clerk", "ClerkError", "Taken"]

Wanted = TypeVar("Wanted", bound="CounterScreen")

_PATIENCE_S: Final = 30.0
_LOOK_AGAIN_S: Final = 0.005
_CALL_PATIENCE_S: Final = 180.0
_WEB_FONTS: Final = re.compile(r"@font-face\s*\{[^}]*\}")
_WRONG_DIGIT: Final = {"0": "1"}


class ClerkError(Exception):
    """The counter did not do what the clerk expected."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Taken:
    """One payment that was taken, as measured from outside.

    Attributes:
        seconds: from the PIN's last digit to the result, which is journalled before
            the counter tells it.
        purse: what went over the purse's contacts in that time.
        customs: the same for the customs card.
    """

    amount_minor: int
    seconds: float
    purse: Reading
    customs: Reading


class Clerk:
    """Takes payments and closes the day at the screens of ``pilot``'s app."""

    def __init__(
        self,
        pilot: Pilot[None],
        app: CounterApp,
        counter: CounterService,
        site: Site,
        pictures: Path,
        say: Callable[[str], None],
    ) -> None:
        """Sit down at the counter."""
        self._pilot = pilot
        self._app = app
        self._site = site
        self._pictures = pictures
        self._say = say
        self._photographed: set[str] = set()
        self._phase: DayPhase | None = None
        self._told_at = 0.0
        counter.subscribe(self._heard)
        self.taken: list[Taken] = []
        self.refusals: list[RefusalReason] = []

    def _heard(self, event: CounterEvent) -> None:
        # From a thread of the counter's, as soon as a result is in the journal.
        if event.kind is CounterEventKind.STATE_CHANGED:
            self._told_at = time.perf_counter()

    async def wait_ready(self) -> None:
        """Wait until the counter has read its customs card."""
        await self._until(lambda: self._app.picture.customs is not None, "the counter")
        await self._picture("home")

    async def take(self, payment: StoryPayment, number: int, count: int) -> None:
        """Take one payment of the story, with all that goes wrong on the way."""
        self._say(
            f"payment {number}/{count}: {payment.declaration} {payment.amount} "
            f"({payment.kind}), {CUSTOMERS[payment.customer].name}"
        )
        await self._enter_details(payment)
        if payment.tried_first is not None:
            await self._card_with_too_little(payment)
        await self._insert(payment.customer)
        if payment.wrong_pin_first:
            await self._wrong_pin(payment)
        await self._pay(payment)
        await self._remove()
        await self._pilot.press("enter")
        await self._until(lambda: isinstance(self._app.screen, HomeScreen), "home")

    async def look_around(self) -> None:
        """Photograph the screens that no payment leads through."""
        await self._pilot.press("f1")
        await self._picture("help")
        await self._pilot.press("escape")
        await self._pilot.press("f7")
        await self._picture("interrupted-payments")
        await self._pilot.press("escape")
        await self._until(lambda: isinstance(self._app.screen, HomeScreen), "home")

    async def close_day(self) -> DayResult:
        """Close, dial, send; the bank's answer as the screen shows it."""
        await self._picture("home-before-close")
        await self._pilot.press("f8")
        screen = await self._screen(DayScreen)
        await self._picture("end-of-day-question")
        await self._pilot.press("enter")
        deadline = time.monotonic() + _CALL_PATIENCE_S
        while screen.state is not DayState.DONE:
            self._site.require_running()
            if time.monotonic() > deadline:
                raise ClerkError(f"the call did not end: {self._site.host_log()}")
            await self._follow(screen)
            await asyncio.sleep(_LOOK_AGAIN_S)
        await self._picture("end-of-day-result")
        if screen.result is None:
            raise ClerkError("the end of day ended without a result")
        return screen.result

    @property
    def median_seconds(self) -> float:
        """Median time from the PIN's last digit to the result."""
        return median(taken.seconds for taken in self.taken)

    async def _follow(self, screen: DayScreen) -> None:
        phase = screen.query_one(Phases).current
        if phase is not None and phase is not self._phase:
            self._phase = phase
            self._say(f"end of day: {phase}")
            await self._picture(f"end-of-day-{phase}")

    async def _enter_details(self, payment: StoryPayment) -> None:
        await self._pilot.press("f2")
        screen = await self._screen(PaymentScreen)
        await self._type(payment.declaration)
        await self._pilot.press("tab")
        await self._type(payment.amount)
        await self._pilot.press("tab")
        if payment.kind == PaymentKind.DEPOSITS:
            await self._pilot.press("right")
        await self._picture("payment-details")
        await self._pilot.press("f2")
        await self._until(lambda: self._app.screen is not screen, "the card screen")
        await self._picture("insert-card")

    async def _card_with_too_little(self, payment: StoryPayment) -> None:
        assert payment.tried_first is not None
        poor = CUSTOMERS[payment.tried_first]
        self._say(f"  the first card, of {poor.name}, holds too little")
        # The counter knows from the balance alone, and asks for no PIN.
        await self._put_in(payment.tried_first)
        result = await self._result()
        if (
            not isinstance(result, Refused)
            or result.reason is not RefusalReason.BALANCE_TOO_LOW
        ):
            raise ClerkError(f"a card with too little was not refused: {result}")
        self.refusals.append(result.reason)
        await self._picture("refused-balance-too-low")
        await self._remove()
        await self._back_to_card(payment)

    async def _back_to_card(self, payment: StoryPayment) -> None:
        await self._pilot.press("escape")
        screen = await self._screen(PaymentScreen)
        if self._app.draft.declaration != payment.declaration:
            raise ClerkError("what was typed was lost by a refusal")
        await self._pilot.press("f2")
        await self._until(lambda: self._app.screen is not screen, "the card screen")

    async def _wrong_pin(self, payment: StoryPayment) -> None:
        pin = CUSTOMERS[payment.customer].pin
        wrong = pin[:-1] + _WRONG_DIGIT.get(pin[-1], "0")
        self._say("  the customer mistypes the PIN")
        contacts = self._site.purses[payment.customer].contacts
        contacts.zero()
        screen = await self._screen(CardScreen)
        await self._type(wrong)
        await self._pilot.press("enter")
        await self._until(
            lambda: bool(contacts.read().instructions) and screen.state is Step.PIN,
            "another try",
        )
        self.refusals.append(RefusalReason.PIN_WRONG)
        await self._picture("wrong-pin")

    async def _pay(self, payment: StoryPayment) -> None:
        pin = CUSTOMERS[payment.customer].pin
        purse = self._site.purses[payment.customer].contacts
        customs = self._site.customs.contacts
        await self._type(pin[:-1])
        await self._picture("pin")
        purse.zero()
        customs.zero()
        started = time.perf_counter()
        # Not the pilot's own key press, which waits after each key until all is still.
        self._app.post_message(Key(pin[-1], pin[-1]))
        self._app.post_message(Key("enter", None))
        result = await self._result()
        seconds = self._told_at - started
        if not isinstance(result, Paid):
            raise ClerkError(f"{payment.declaration} was not paid: {result}")
        taken = Taken(
            amount_minor=result.order.amount.amount_minor,
            seconds=seconds,
            purse=purse.read(),
            customs=customs.read(),
        )
        self.taken.append(taken)
        await self._picture("paid")

    async def _result(self) -> object:
        return (await self._screen(ResultScreen)).result

    async def _put_in(self, customer: int) -> None:
        contacts = self._site.purses[customer].contacts
        await asyncio.to_thread(self._site.slots.insert, Role.PURSE, contacts)

    async def _insert(self, customer: int) -> None:
        await self._put_in(customer)
        screen = await self._screen(CardScreen)
        await self._until(lambda: screen.state is Step.PIN, "the PIN prompt")

    async def _remove(self) -> None:
        await asyncio.to_thread(self._site.slots.remove, Role.PURSE)

    async def _type(self, text: str) -> None:
        await self._pilot.press(*text)

    async def _picture(self, name: str) -> None:
        if name in self._photographed:
            return
        self._photographed.add(name)
        await self._pilot.pause()
        path = self._pictures / f"{name}.svg"
        picture = self._app.export_screenshot(title="Raseed")
        # The exporter names fonts on a web host; a picture of a counter asks nobody.
        path.write_text(_WEB_FONTS.sub("", picture))

    async def _screen(self, kind: type[Wanted]) -> Wanted:
        await self._until(lambda: isinstance(self._app.screen, kind), kind.__name__)
        screen = self._app.screen
        assert isinstance(screen, kind)
        return screen

    async def _until(self, is_so: Callable[[], bool], what: str) -> None:
        deadline = time.monotonic() + _PATIENCE_S
        while not is_so():
            if time.monotonic() > deadline:
                raise ClerkError(
                    f"waited {_PATIENCE_S:.0f} s for {what} in vain; on the screen: "
                    f"{type(self._app.screen).__name__}"
                )
            await asyncio.sleep(_LOOK_AGAIN_S)
