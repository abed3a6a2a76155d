"""The books at the door: slow ones hold up one call, and nobody else's line.

The host is whole: its ports are PTYs at simulated modems, its store is on disk, and
another program holds the lock of its database.
"""

from __future__ import annotations

import datetime as dt
import os
import threading
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from functools import partial
from typing import TYPE_CHECKING

import pytest
from cryptography import x509

from modem.call import Call, dial
from modem.certificates import CertificateOwner, CertificateTrouble
from modem.dial_plan import DialPlan
from modem.errors import CertificateRefusedError, ModemError
from modem.events import Secured, WaitingForCall
from settlement.admission import Admission
from settlement.host import CallEnded, Host, HostEvent, ModemTrouble
from settlement.pki_files import CertificateFacts
from settlement.store.books import BankStore
from settlement.store.certificates import IssuedFor
from sim.modems.exchange import ExchangeSettings, TelephoneExchange
from sim.modems.line import LineSettings
from sim.modems.served_port import PtyPort
from sim.modems.server import ModemServer
from tests.modem.conftest import SERVER_NAME, Certificates, Issuer

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from contextlib import AbstractContextManager
    from pathlib import Path

    from modem.certificates import PeerCertificate
    from modem.events import CallEvent
    from settlement.store.certificates import CertificateRow

PATIENCE_S = 60
FIRST, KNOWN, REVOKED = "T0000007", "T0000008", "T0000009"
FAST = ExchangeSettings(
    line=LineSettings(rate_bps=230_400, delay_ms=5),
    dial_ms=10,
    ring_every_ms=100,
    training_ms=20,
)
PLAN = DialPlan(numbers=("5551234",), rounds=1)


class WatchedAdmission(Admission):
    """The bank's own, which says when it begins to wait for the books."""

    def __init__(self, store: BankStore, clock: Callable[[], dt.datetime]) -> None:
        super().__init__(store, clock)
        self.notes = threading.Event()

    def note_use(
        self, terminal: PeerCertificate, turn: AbstractContextManager[object]
    ) -> CertificateTrouble | None:
        if terminal.name == FIRST:
            self.notes.set()
        return super().note_use(terminal, turn)


class NoBank:
    """A bank that is asked for nothing: an attribute that is used would be an error."""


class Events:
    """What the host tells, from all its threads."""

    def __init__(self) -> None:
        self._changed = threading.Condition()
        self._told: list[HostEvent | CallEvent] = []

    def tell(self, _port: str, event: HostEvent | CallEvent) -> None:
        with self._changed:
            self._told.append(event)
            self._changed.notify_all()

    def wait_for(self, wanted: Callable[[list[HostEvent | CallEvent]], bool]) -> None:
        with self._changed:
            assert self._changed.wait_for(lambda: wanted(self._told), PATIENCE_S)

    @property
    def secured(self) -> list[str]:
        with self._changed:
            told = [event for event in self._told if isinstance(event, Secured)]
        return [event.peer_name for event in told]


class Branch:
    """A host with a store on disk, two lines to it, three terminals' certificates."""

    def __init__(self, folder: Path) -> None:
        self.now = dt.datetime.now(dt.UTC)  # noqa: TID251 - TLS looks at the clock too
        self._folder = folder
        self._certificates = Certificates(directory=folder)
        issuer = Issuer(folder, "ca")
        issuer.issue("host", SERVER_NAME, dns=SERVER_NAME)
        self.database = folder / "bank.sqlite"
        with BankStore.create(self.database) as store, store.write() as books:
            for name in (FIRST, KNOWN, REVOKED):
                issuer.issue(name, name)
                books.certificates.add(
                    self._facts(name), IssuedFor.ADMISSION, "auditor", self.now
                )
            [known] = books.certificates.of_terminal(KNOWN)
            books.certificates.note_seen(known, self.now)
            [revoked] = books.certificates.of_terminal(REVOKED)
            books.certificates.revoke(revoked, "stolen", "auditor", self.now)
        self.events = Events()
        self.modems = ModemServer(
            TelephoneExchange(FAST, callers=3, answerers=2),
            [
                partial(PtyPort, link=folder / name)
                for name in ("c0", "c1", "c2", "a0", "a1")
            ],
        )
        self.admission: WatchedAdmission

    def _facts(self, name: str) -> CertificateFacts:
        pem = (self._folder / f"{name}.pem").read_bytes()
        certificate = x509.load_pem_x509_certificate(pem)
        return CertificateFacts(
            name=name,
            serial=certificate.serial_number,
            not_before=certificate.not_valid_before_utc,
            not_after=certificate.not_valid_after_utc,
        )

    @contextmanager
    def serving(self) -> Iterator[None]:
        stop = threading.Event()
        with (
            self.modems,
            BankStore.open(self.database, busy_timeout_ms=PATIENCE_S * 1000) as store,
            ThreadPoolExecutor(1) as pool,
        ):
            self.admission = WatchedAdmission(store, lambda: self.now)
            host = Host(
                bank=NoBank(),  # type: ignore[arg-type] # nothing comes as far as it
                admission=self.admission,
                tls_context=self._certificates.server(),
                clock=lambda: self.now,
                random_bytes=os.urandom,
                on_event=self.events.tell,
            )
            served = pool.submit(host.serve, self.modems.answerer_ports, stop)
            try:
                self.wait_until(lambda told: self._waiting(told) == 2)
                yield
            finally:
                stop.set()
                served.result(PATIENCE_S)

    def wait_until(self, wanted: Callable[[list[HostEvent | CallEvent]], bool]) -> None:
        self.events.wait_for(wanted)

    @staticmethod
    def _waiting(told: list[HostEvent | CallEvent]) -> int:
        return sum(isinstance(event, WaitingForCall) for event in told)

    def dial(self, name: str, line: int) -> Call:
        port = self.modems.caller_ports[line]
        context = self._certificates.client(name=name)
        return dial(port, PLAN, context, SERVER_NAME, lambda _: None)

    def row(self, name: str) -> CertificateRow:
        with BankStore.open(self.database) as store, store.read() as books:
            [row] = books.certificates.of_terminal(name)
        return row


@pytest.fixture
def branch(tmp_path: Path) -> Branch:
    return Branch(tmp_path)


def test_a_locked_database_holds_up_only_the_call_that_waits_for_it(
    branch: Branch,
) -> None:
    with branch.serving(), ThreadPoolExecutor(1) as pool:
        with BankStore.open(branch.database) as other, other.write():
            first = pool.submit(branch.dial, FIRST, 0)
            assert branch.admission.notes.wait(PATIENCE_S)
            # On the other line a call comes up, and ends in order.
            branch.dial(KNOWN, 1).close()
            branch.wait_until(lambda told: ended(told) == [(KNOWN, None)])
            # And one who may not come in is told so, on both sides.
            with pytest.raises(CertificateRefusedError) as refused:
                branch.dial(REVOKED, 2)
            assert refused.value.owner is CertificateOwner.OURS
            assert refused.value.trouble is CertificateTrouble.REVOKED
            assert "no money moved" in str(refused.value)
            branch.wait_until(
                lambda told: any(f"{REVOKED} was" in one for one in troubles(told))
            )
            assert not first.done()
            assert branch.events.secured == [KNOWN]
        # Now that its use is noted, it hears the first word.
        with first.result(PATIENCE_S) as call:
            assert call.peer_name == SERVER_NAME
            assert branch.row(FIRST).seen_at == branch.now
        branch.wait_until(lambda told: (FIRST, None) in ended(told))
    assert branch.events.secured == [KNOWN, FIRST]
    assert branch.row(REVOKED).seen_at is None


def test_a_call_that_is_cut_while_the_books_are_asked_leaves_the_line_free(
    branch: Branch,
) -> None:
    with branch.serving(), ThreadPoolExecutor(1) as pool:
        with BankStore.open(branch.database) as other, other.write():
            first = pool.submit(branch.dial, FIRST, 0)
            assert branch.admission.notes.wait(PATIENCE_S)
            branch.modems.drop_call()
            with pytest.raises(ModemError, match="NO CARRIER"):
                first.result(PATIENCE_S)
        branch.wait_until(
            lambda told: any("NO CARRIER" in one for one in troubles(told))
        )
        assert branch.events.secured == []
        branch.dial(FIRST, 0).close()
        branch.wait_until(lambda told: ended(told) == [(FIRST, None)])
    assert branch.events.secured == [FIRST]


def ended(told: list[HostEvent | CallEvent]) -> list[tuple[str, str | None]]:
    return [(e.terminal_id, e.trouble) for e in told if isinstance(e, CallEnded)]


def troubles(told: list[HostEvent | CallEvent]) -> list[str]:
    return [event.reason for event in told if isinstance(event, ModemTrouble)]
