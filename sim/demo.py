"""`raseed-sim demo`: the main job, from issuing cards to the certified amounts.

Everything is real but the chips and the line: pcscd, pyscard, the counter's screens,
its journal, pyserial, TLS, the bank's programs and its database.
"""

from __future__ import annotations

import asyncio
import datetime as dt
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING, Final

import click

from sim.clerk import Clerk, ClerkError
from sim.demo_report import Chips, DemoResult, holdings, must_hold, summarise
from sim.ending import ended_by_signals
from sim.failures import told
from sim.pcscd import PrivatePCSCDError
from sim.programs import ProgramError
from sim.site import CURRENCY, OFFICE, Site, SiteError, office_now
from sim.slots import SlotsError
from sim.story import PAYMENTS
from terminal.app import CounterApp
from terminal.config import load_config
from terminal.machine import open_counter

if TYPE_CHECKING:
    from collections.abc import Callable

    from terminal.day import DayResult

__all__ = ["demo"]

_SCREEN: Final = (100, 30)


@click.command()
@click.option(
    "--output",
    type=click.Path(path_type=Path, file_okay=False),
    default=Path("build/demo"),
    show_default=True,
    help="Folder for summary.json, the statement and the pictures of the screens.",
)
@click.option(
    "--site",
    "site_folder",
    type=click.Path(path_type=Path, file_okay=False),
    default=Path("build/demo-site"),
    show_default=True,
    help="Folder for the cards, the bank and the counter; made anew by each run.",
)
def demo(output: Path, site_folder: Path) -> None:
    """Issue three cards, take twenty payments, dial the bank, print the statement.

    Ends with status 0 only when every amount agrees on all sides. Takes about two
    minutes; needs pcscd and vsmartcard-vpcd, no hardware and no root.
    """
    started = time.monotonic()

    def say(words: str) -> None:
        click.echo(f"{time.monotonic() - started:7.1f} s  {words}")

    site = Site(site_folder, say, fresh=True)
    try:
        site.require_ours()
        _prepare(output)
        with ended_by_signals():
            result = _run(output, site, say)
    except SiteError as error:
        raise click.ClickException(str(error)) from None
    except (ClerkError, PrivatePCSCDError, ProgramError, SlotsError) as error:
        raise click.ClickException(
            f"the demo stopped: {error}. Logs are in {site_folder}."
        ) from None
    if not _report(result, output):
        sys.exit(1)


def _prepare(output: Path) -> None:
    try:
        output.mkdir(parents=True, exist_ok=True)
        for old in [*output.glob("*.svg"), output / "summary.json"]:
            old.unlink(missing_ok=True)
    except OSError as error:
        raise click.ClickException(
            f"The results cannot be put there ({told(error)}). Nothing was done. Name "
            "another folder with --output."
        ) from None


def _run(output: Path, site: Site, say: Callable[[str], None]) -> DemoResult:
    first_day = office_now().date() - dt.timedelta(days=1)
    with site:
        loaded = _chips(site)
        clerk, paid, day, call_seconds = asyncio.run(_work(site, output, say))
        say("the bank checks its books and issues the statement")
        statement = site.bank(
            "statement", "--office", OFFICE, "--from", first_day.isoformat(),
            "--pdf", str(output / "statement.pdf"),
            "--csv", str(output / "statement.csv"),
        )  # fmt: skip
        return DemoResult(
            loaded=loaded,
            paid=paid,
            settled=_chips(site),
            clerk=clerk,
            day=day,
            check=site.bank("check"),
            statement=statement,
            call_seconds=call_seconds,
        )


async def _work(
    site: Site, output: Path, say: Callable[[str], None]
) -> tuple[Clerk, Chips, DayResult, float]:
    say("opening the counter")
    counter = open_counter(load_config(site.terminal_toml), clock=office_now)
    app = CounterApp(counter, office_now)
    try:
        async with app.run_test(size=_SCREEN) as pilot:
            clerk = Clerk(pilot, app, counter, site, output, say)
            await clerk.wait_ready()
            for number, payment in enumerate(PAYMENTS, start=1):
                await clerk.take(payment, number, len(PAYMENTS))
            await clerk.look_around()
            paid = _chips(site)
            started = time.perf_counter()
            day = await clerk.close_day()
            call_seconds = time.perf_counter() - started
            say(f"the bank's answer: {day.advice.happened}")
    finally:
        counter.stop()
    return clerk, paid, day, call_seconds


def _chips(site: Site) -> Chips:
    """Look into the chips themselves, past every program."""
    return Chips(
        purses_minor=tuple(card.memory.integer("balance") for card in site.purses),
        customs_total_minor=site.customs.memory.integer("total"),
        open_records=len(site.customs.memory.keys_from("open.")),
    )


def _report(result: DemoResult, output: Path) -> bool:
    summary = summarise(result, CURRENCY)
    summary.write(output / "summary.json")
    click.echo("\nWhat each party holds now")
    for who, amount in holdings(result, CURRENCY):
        click.echo(f"  {who:<42} {amount:>16}")
    click.echo("\nWhat must hold")
    promises = must_hold(summary, result)
    for words, is_so in promises:
        click.echo(f"  {'ok ' if is_so else 'NO '} {words}")
    click.echo(
        f"\n{summary.payments} payments, {summary.seconds_per_payment * 1000:.1f} ms "
        f"each from the PIN's last digit to the journalled result (median)."
        f"\nIn {output}: summary.json, statement.pdf, statement.csv, "
        f"{len(list(output.glob('*.svg')))} pictures of screens."
    )
    return all(is_so for _words, is_so in promises)
