"""One bank, one counter, one telephone line and the cards, all real or like real.

A site is a folder. Building it runs our own programs (`raseed-bank`, `raseed-card`)
against a private pcscd with simulated cards in its two slots; afterwards the bank
answers its modem and the counter can open. A folder that holds a site already is opened
again as it was left, by one program at a time; any other folder is left alone.
"""

from __future__ import annotations

import os
import secrets
import shutil
from contextlib import ExitStack
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final, Self

from card.profile import CardState, Role
from settlement.statements import BANK_ZONE
from sim.cards.application import STATE
from sim.cards.errors import SimulatedCardError
from sim.cards.issue import blank_customs_card, blank_purse
from sim.cards.memory import FileMemory
from sim.failures import told
from sim.meter import Metered
from sim.owned_folder import try_lock
from sim.pcscd import PrivatePCSCD
from sim.programs import BackgroundProgram, call
from sim.slots import Slots
from sim.story import CUSTOMERS, Customer
from terminal.machine import local_now

if TYPE_CHECKING:
    from collections.abc import Callable
    from datetime import datetime
    from pathlib import Path
    from types import TracebackType

__all__ = [
    "CURRENCY",
    "MERCHANT_ID",
    "OFFICE",
    "TERMINAL_ID",
    "Site",
    "SiteCard",
    "SiteError",
    "office_now",
]

TERMINAL_ID: Final = "T0000007"
OFFICE: Final = "SOHAR"
CURRENCY: Final = "OMR"
MERCHANT_ID: Final = "4355530000000007"
LINE_RATE_BPS: Final = 9600
LINE_DELAY_MS: Final = 100
_HOST_NUMBER: Final = "5551234"
_BALANCE_LIMIT: Final = "5000"
_PASSPHRASE_FILE: Final = "bank-passphrase"  # noqa: S105  its name, not it
_FINISHED_FILE: Final = "finished"
_LOCK_FILE: Final = "raseed-site.lock"
_CUSTOMS_SERIAL: Final = "C000000000000007"


def office_now() -> datetime:
    """The time at the office, which has one date with its bank.

    The machine that plays both may be set to any zone; a card of the bank's today would
    not be valid yet on a counter that is some hours behind.
    """
    return local_now().astimezone(BANK_ZONE)


class SiteError(Exception):
    """The site cannot be opened; the message says why and what to do."""


@dataclass(frozen=True, slots=True)
class SiteCard:
    """A card: its chip's memory, which we may look into, and its contacts."""

    memory: FileMemory
    contacts: Metered

    @property
    def is_unpersonalised(self) -> bool:
        """Whether the chip is still as its maker delivered it."""
        return self.memory.integer(STATE) == CardState.INITIALISED


class Site:
    """A site in a folder, built when new, running for as long as ``with`` lasts."""

    def __init__(
        self, folder: Path, say: Callable[[str], None], *, fresh: bool = False
    ) -> None:
        """Choose the folder.

        Args:
            folder: made when it is not there.
            say: is told each step in words.
            fresh: begin anew when a site is there already.
        """
        self.folder: Final = folder
        self._is_fresh: Final = fresh
        self._say: Final = say
        self._stack = ExitStack()
        self._environment: dict[str, str] = {}
        self.slots: Slots
        self.customs: SiteCard
        self.purses: list[SiteCard]

    @property
    def bank_folder(self) -> Path:
        """The bank's own folder: books, keys, certificates."""
        return self.folder / "bank"

    @property
    def terminal_toml(self) -> Path:
        """Settings of the counter."""
        return self.folder / "terminal" / "terminal.toml"

    def __enter__(self) -> Self:
        try:
            self._open()
        except OSError as error:
            self._stack.close()
            raise SiteError(
                f"The site in {self.folder} cannot be used ({told(error)}). Name "
                "another folder with --site."
            ) from None
        except SimulatedCardError as error:
            self._stack.close()
            raise SiteError(str(error)) from None
        except BaseException:
            self._stack.close()
            raise
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._stack.close()

    def bank(self, *arguments: str) -> dict[str, Any]:
        """Run ``raseed-bank`` on this site's bank."""
        return call("raseed-bank", *arguments, environment=self._environment)

    def desk(self, *arguments: str, pin: str | None = None) -> dict[str, Any]:
        """Run ``raseed-card`` on this site's bank and readers."""
        return call("raseed-card", *arguments, environment=self._environment, pin=pin)

    def require_running(self) -> None:
        """Check that line and host have not ended by themselves."""
        self._line.require_running()
        self._host.require_running()

    def host_log(self) -> str:
        """What the bank's host has said so far."""
        return self._host.log.read_text(errors="replace")

    def require_ours(self) -> None:
        """Check that the folder holds a site, finished or not, or nothing.

        Raises:
            SiteError: it holds something else, which is left as it is.
        """
        marks = (_LOCK_FILE, _PASSPHRASE_FILE)
        if any((self.folder / mark).is_file() for mark in marks):
            return
        try:
            is_free = not self.folder.exists() or not any(self.folder.iterdir())
        except OSError as error:
            raise SiteError(f"The site cannot be read ({told(error)}).") from None
        if not is_free:
            raise SiteError(
                f"'{self.folder}' holds something that is not a site of ours. Nothing "
                "was done. Name another folder with --site."
            )

    def _take_folder(self) -> bool:
        """Keep the folder to ourselves; whether a finished site is in it."""
        self.require_ours()
        self.folder.mkdir(parents=True, exist_ok=True)
        lock = try_lock(self.folder / _LOCK_FILE)
        if lock is None:
            raise SiteError(
                f"Another program works on the site in {self.folder}. Nothing was "
                "changed. End that one first, or name another folder with --site."
            )
        self._stack.callback(os.close, lock)
        is_finished = (self.folder / _FINISHED_FILE).is_file()
        if is_finished and not self._is_fresh:
            return True
        for path in self.folder.iterdir():
            if path.name != _LOCK_FILE:
                shutil.rmtree(path) if path.is_dir() else path.unlink()
        return False

    def _open(self) -> None:
        is_new = not self._take_folder()
        self._environment = self._secrets()
        self._say("starting a private PC/SC service with two simulated readers")
        pcscd = self._stack.enter_context(PrivatePCSCD())
        self.slots = self._stack.enter_context(Slots(pcscd))
        self._make_cards()
        self._start_line()
        if is_new:
            self._found_bank()
        self._issue_cards()
        (self.folder / _FINISHED_FILE).touch()
        self._start_host()

    def _secrets(self) -> dict[str, str]:
        # Only the simulated bank's keys are behind this, which are published test
        # values; it is made like a real one so that the real way in is used.
        path = self.folder / _PASSPHRASE_FILE
        if not path.exists():
            descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
            with os.fdopen(descriptor, "w") as file:
                file.write(secrets.token_hex(16) + "\n")
        passphrase = path.read_text().strip()
        return {"RASEED_PASSPHRASE": passphrase, "RASEED_BANK": str(self.bank_folder)}

    def _make_cards(self) -> None:
        cards = self.folder / "cards"
        cards.mkdir(exist_ok=True)
        memory = self._stack.enter_context(FileMemory(cards / "customs"))
        serial = bytes.fromhex(_CUSTOMS_SERIAL)
        self.customs = SiteCard(memory, Metered(blank_customs_card(memory, serial)))
        self.purses = []
        for number, customer in enumerate(CUSTOMERS, start=1):
            memory = self._stack.enter_context(FileMemory(cards / f"purse-{number}"))
            purse = blank_purse(memory, bytes.fromhex(customer.serial))
            self.purses.append(SiteCard(memory, Metered(purse)))

    def _start_line(self) -> None:
        near, far = self._ports()
        self._say(f"joining two modems by a line of {LINE_RATE_BPS} bit/s")
        self._line = self._stack.enter_context(
            BackgroundProgram(
                "raseed-sim", "line", "--near", near, "--far", far,
                "--rate", str(LINE_RATE_BPS), "--delay-ms", str(LINE_DELAY_MS),
                environment={}, log=self.folder / "line.log",
            )
        )  # fmt: skip

    def _ports(self) -> tuple[str, str]:
        return str(self.folder / "counter-modem"), str(self.folder / "bank-modem")

    def _found_bank(self) -> None:
        self._say("founding the bank: books, keys, private certificate authority")
        self.bank("init", str(self.bank_folder), "--test-keys", "--currency", CURRENCY)
        for customer in CUSTOMERS:
            self.bank(
                "account", "open", customer.account, "--holder", customer.name,
                "--deposit", customer.deposit,
            )  # fmt: skip
        purse, customs = (self.slots.reader(role) for role in Role)
        self.bank(
            "terminal", "add", TERMINAL_ID, "--office", OFFICE, "--mid", MERCHANT_ID,
            "--output", str(self.terminal_toml.parent), "--number", _HOST_NUMBER,
            "--modem-port", self._ports()[0], "--purse-reader", purse,
            "--customs-reader", customs,
        )  # fmt: skip

    def _issue_cards(self) -> None:
        self.slots.insert(Role.CUSTOMS, self.customs.contacts)
        if self.customs.is_unpersonalised:
            self._say(f"personalising the customs card of counter {TERMINAL_ID}")
            self.desk(
                "personalise", "--kind", "customs", "--terminal", TERMINAL_ID,
                "--reader", self.slots.reader(Role.CUSTOMS),
            )  # fmt: skip
        for customer, purse in zip(CUSTOMERS, self.purses, strict=True):
            if purse.is_unpersonalised:
                self._issue(customer, purse)

    def _issue(self, customer: Customer, purse: SiteCard) -> None:
        reader = self.slots.reader(Role.PURSE)
        self.slots.insert(Role.PURSE, purse.contacts)
        self._say(f"issuing a card to {customer.name}")
        self.desk(
            "personalise", "--kind", "purse", "--account", customer.account,
            "--number", customer.card_id, "--limit", _BALANCE_LIMIT, "--reader", reader,
            pin=customer.pin,
        )  # fmt: skip
        self._say(f"loading {customer.load} {CURRENCY} from account {customer.account}")
        self.desk("load", customer.load, "--reader", reader, pin=customer.pin)
        self.slots.remove(Role.PURSE)

    def _start_host(self) -> None:
        self._say("the bank's host waits at its modem")
        self._host = self._stack.enter_context(
            BackgroundProgram(
                "raseed-bank", "serve", "--port", self._ports()[1],
                environment=self._environment, log=self.folder / "host.log",
            )
        )  # fmt: skip
