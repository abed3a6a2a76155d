"""A counter that reaches its bank over a network: payments, end of day, books, log.

Only cards and readers are simulated; the terminal, its journal, TCP, TLS, the host, its
log and its books are the real ones. In the end the whole log is searched for secrets.
"""

from __future__ import annotations

import io
import re
import secrets
import threading
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from typing import TYPE_CHECKING

import pytest
from click.testing import CliRunner

from card.profile import KeyUse, Role
from modem.network import Listener, NetworkAddress
from modem.tls import server_context
from settlement.admission import Admission
from settlement.bank import Bank
from settlement.commands.bank_log import HostLog
from settlement.host import CallEnded, Host
from settlement.money import currency_by_code
from settlement.payment import PaymentKind
from settlement.store.books import BankStore
from sim.modems.pair import ModemPair
from terminal.__main__ import terminal as terminal_program
from terminal.config import load_config
from terminal.day import DayPhase, DayProgress, DayVerdict
from tests.branch import PASSPHRASE
from tests.test_end_to_end import FAST, PIN, Site, take_three_payments

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from modem.events import CallEvent
    from settlement.host_events import HostEvent


class NetworkSite(Site):
    """The same site, whose counter has a network and no modem."""

    def __init__(self, folder: Path, pair: ModemPair) -> None:
        super().__init__(folder, pair)
        self.listener = Listener(NetworkAddress(host="127.0.0.1", port=0))
        self.toml = folder / "terminal" / "terminal.toml"
        text = self.toml.read_text()
        text = re.sub(r"(?m)^port = .*$", f'port = "{self.listener.name}"', text)
        text = re.sub(r"(?m)^numbers = .*$", "numbers = []", text)
        self.toml.write_text(text)
        self.config = load_config(self.toml)
        self.logs = [io.StringIO(), io.StringIO()]

    @contextmanager
    def serving_network(self) -> Iterator[None]:
        """The bank's host at the network, with both kinds of log."""
        stop = threading.Event()
        logs = [
            HostLog(
                file,
                as_json=as_json,
                clock=self.clock,
                currency=currency_by_code("OMR"),
            )
            for file, as_json in zip(self.logs, (True, False), strict=True)
        ]

        def on_event(line: str, event: HostEvent | CallEvent) -> None:
            self.events.append(event)
            for log in logs:
                log.write(line, event)

        folder = self.directory
        with BankStore.open(folder.database) as store, ThreadPoolExecutor(1) as pool:
            host = Host(
                bank=Bank(store, self.keys),
                admission=Admission(store, self.clock),
                tls_context=server_context(
                    folder.terminals_authority_certificate,
                    folder.host_certificate,
                    folder.host_key,
                    clock=self.clock,
                ),
                clock=self.clock,
                random_bytes=secrets.token_bytes,
                on_event=on_event,
            )
            served = pool.submit(host.serve, [], stop, listeners=[self.listener])
            try:
                yield
            finally:
                stop.set()
                assert served.result(20) == 0

    def secrets(self) -> list[str]:
        """Every key, PIN, passphrase, card number and TAC there is, as hex or text."""
        cards = [purse.memory.octets("card_id") for purse in self.purses]
        assert self.world.customs.card is not None
        cards.append(self.world.customs.card.memory.octets("card_id"))
        keys = [
            self.keys.card_key(use, 1, card)
            for use in KeyUse
            if use is not KeyUse.TRANSPORT
            for card in cards
        ]
        with BankStore.open(self.directory.database) as store, store.read() as books:
            tacs = [
                row.tac
                for card in cards
                for row in books.records.payments_of_purse(card)
            ]
        assert len(tacs) == 3
        found = [one.hex() for one in (*cards, *keys, *tacs)]
        return [*found, self.keys.purchase_master(1).hex(), PASSPHRASE, PIN.decode()]


@pytest.fixture
def site(tmp_path: Path) -> Iterator[NetworkSite]:
    with ModemPair(FAST) as pair:
        yield NetworkSite(tmp_path, pair)


def test_a_day_over_the_network_reaches_the_books_and_the_log_says_no_secret(
    site: NetworkSite,
) -> None:
    told: list[DayProgress] = []
    with site.open_counter(), site.serving_network():
        take_three_payments(site)
        result = site.close_day(told.append)
    assert result.verdict is DayVerdict.COLLECTED, result.advice
    site.assert_the_books_are_right(payments=3)
    assert site.statement(PaymentKind.DEPOSITS) == [("INV-2025-000002", 40_000)]
    assert any(
        one.phase is DayPhase.SECURING and one.detail == "over the network"
        for one in told
    )
    logs = [file.getvalue() for file in site.logs]
    for log in logs:
        assert "T0000007" in log
        for secret in site.secrets():
            assert secret.upper() not in log.upper()
    assert '"event": "PaymentsTaken"' in logs[0]
    assert "batch 1: accepted; posted 3 (53.734 OMR)" in logs[1]


def test_a_bank_that_is_not_there_is_told_at_the_counter(site: NetworkSite) -> None:
    site.listener.close()
    text = site.toml.read_text().replace("# rounds = 2  ", "rounds = 1  ")
    site.toml.write_text(text)
    site.config = load_config(site.toml)
    with site.open_counter():
        take_three_payments(site)
        advice = site.close_day_in_vain()
    assert str(advice.happened) == (
        "The bank's host cannot be reached over the network."
    )
    assert "Check the network cable" in str(advice.next_step)
    assert site.on_customs_card() == 53_734


def test_a_terminal_that_was_revoked_is_refused_and_keeps_its_batch(
    site: NetworkSite,
) -> None:
    with BankStore.open(site.directory.database) as store, store.write() as books:
        [row] = books.certificates.of_terminal("T0000007")
        books.certificates.revoke(row, "stolen", "test", site.clock())
    with site.open_counter(), site.serving_network():
        take_three_payments(site)
        advice = site.close_day_in_vain()
    assert "certificate" in str(advice.happened)
    assert site.batches_at_the_bank() == 0
    assert not [one for one in site.events if isinstance(one, CallEnded)]
    assert site.on_customs_card() == 53_734


def test_the_network_can_be_tried_from_the_counter(site: NetworkSite) -> None:
    check = ("modem", "check", "--config", str(site.toml))
    with site.serving_network():
        good = CliRunner().invoke(terminal_program, check)
    assert good.exit_code == 0, good.output
    assert f"The network works: {site.listener.name} was reached." in good.output
    site.readers.remove(Role.CUSTOMS)
