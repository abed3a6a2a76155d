"""`raseed-sim counter`: the counter to play with, on simulated cards, line and bank.

The program is the counter's own; two keys are added, for the hand that puts a card
into the reader and takes it out.
"""

from __future__ import annotations

import asyncio
import sys
from pathlib import Path
from typing import TYPE_CHECKING, ClassVar

import click
from textual.binding import Binding, BindingType

from card.profile import Role
from sim.ending import ended_by_signals
from sim.pcscd import PrivatePCSCDError
from sim.programs import ProgramError
from sim.site import CURRENCY, Site, SiteError, office_now
from sim.slots import SlotsError
from sim.story import CUSTOMERS
from terminal.app import CounterApp
from terminal.catalogue import msgid
from terminal.config import load_config
from terminal.machine import open_counter

if TYPE_CHECKING:
    from collections.abc import Callable
    from datetime import datetime

    from terminal.service import CounterService

__all__ = ["counter"]


class SimulatedCounterApp(CounterApp):
    """The counter, with a hand for the cards."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("f11", "move_card", msgid("Card in or out"), key_display="F11"),
        Binding("f12", "next_customer", msgid("Next customer"), key_display="F12"),
    ]

    def __init__(
        self, counter: CounterService, clock: Callable[[], datetime], site: Site
    ) -> None:
        super().__init__(counter, clock)
        self._site = site
        self._customer = 0
        self._is_inside = False
        self._hand = asyncio.Lock()

    def action_move_card(self) -> None:
        """Put this customer's card in, or take it out."""
        self.run_worker(self._move_card(), group="hand")

    def action_next_customer(self) -> None:
        """The next customer steps up; a card that was left is taken out."""
        self.run_worker(self._next_customer(), group="hand")

    async def _move_card(self) -> None:
        async with self._hand:
            await (self._take_out() if self._is_inside else self._put_in())

    async def _next_customer(self) -> None:
        async with self._hand:
            if self._is_inside:
                await self._take_out()
            self._customer = (self._customer + 1) % len(CUSTOMERS)
            self.notify(f"{CUSTOMERS[self._customer].name} steps up. F11: card in.")

    async def _put_in(self) -> None:
        card = self._site.purses[self._customer].contacts
        await asyncio.to_thread(self._site.slots.insert, Role.PURSE, card)
        self._is_inside = True
        self.notify(f"Card of {CUSTOMERS[self._customer].name} in the reader.")

    async def _take_out(self) -> None:
        await asyncio.to_thread(self._site.slots.remove, Role.PURSE)
        self._is_inside = False
        self.notify(f"Card of {CUSTOMERS[self._customer].name} taken out.")


@click.command()
@click.option(
    "--site",
    "folder",
    type=click.Path(path_type=Path, file_okay=False),
    default=Path("build/counter"),
    show_default=True,
    help="Folder for the cards, the bank and the counter; kept from run to run.",
)
@click.option("--fresh", is_flag=True, help="Begin anew with full cards.")
def counter(folder: Path, fresh: bool) -> None:
    """Work at the counter yourself, on simulated cards, line and bank.

    F11 puts the customer's card in and takes it out, F12 calls the next customer.
    The cards and their PINs are printed before the screen opens. Needs pcscd and
    vsmartcard-vpcd, no hardware and no root.
    """
    try:
        with ended_by_signals(), Site(folder, click.echo, fresh=fresh) as site:
            _introduce()
            _open_counter(site)
    except SiteError as error:
        raise click.ClickException(str(error)) from None
    except (PrivatePCSCDError, ProgramError, SlotsError) as error:
        raise click.ClickException(f"{error}. Logs are in {folder}.") from None
    click.echo(f"The site is kept in {folder}; --fresh begins anew.")
    click.echo(f"Look into the bank: raseed-bank check --bank {folder / 'bank'}")


def _open_counter(site: Site) -> None:
    service = open_counter(load_config(site.terminal_toml), clock=office_now)
    try:
        SimulatedCounterApp(service, office_now, site).run()
    finally:
        service.stop()


def _introduce() -> None:
    click.echo("\nThe customers and their simulated cards:")
    for customer in CUSTOMERS:
        click.echo(
            f"  {customer.name:<24} PIN {customer.pin:<12} "
            f"loaded with {customer.load} {CURRENCY}"
        )
    click.echo("Keys: F11 card in or out, F12 next customer, F1 help, F10 leave.")
    if sys.stdin.isatty():
        click.pause("Press any key to open the counter.")
