"""One call that uploads a batch, from CONNECT to its end, under a virtual clock.

The machines are the production ones: `settlement.upload` over `modem.session` (TLS and
the link) on one side, the same and `settlement.intake` on the other, as
`terminal.day_flow` and `settlement.host` join them. Between them are two wires. The
line may be cut after any byte: then both sides lose it at once, with what was under
way. The host answers in no time; what its database takes is not on the line.
"""

from __future__ import annotations

import datetime as dt
import random
import tempfile
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Final

from modem.events import Secured
from modem.link import Link
from modem.session import SecureSession, SessionEnded
from modem.tls import MessageReceived, TLSSession, client_context, server_context
from settlement.pki import HOST_DNS_NAME, Authority
from sim.modems.line import LineSettings, Wire

if TYPE_CHECKING:
    from modem.tls_context import LinkContext
    from settlement.intake import IntakeMachine
    from settlement.upload import UploadEvent, UploadMachine

__all__ = ["CallReport", "Ends", "VirtualLine", "new_ends", "upload_once"]

_LIMIT_MS: Final = 3_600_000
_STEPS_AT_ONE_TIME_MAX: Final = 100


@dataclass(frozen=True, slots=True, kw_only=True)
class Ends:
    """What the two ends of a call are.

    Attributes:
        terminal: of `modem.tls.client_context`.
        host: of `modem.tls.server_context`.
        host_name: DNS name in the host's certificate.
    """

    terminal: LinkContext
    host: LinkContext
    host_name: str


def new_ends(terminal_id: str = "T0000007") -> Ends:
    """A terminal and a host with new certificates of a new authority."""
    now = dt.datetime.now(dt.UTC)  # noqa: TID251 - TLS judges by the machine's clock
    authority = Authority.create(now)
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        (folder / "hosts.pem").write_bytes(authority.certificate_pem)
        (folder / "terminals.pem").write_bytes(authority.terminals_certificate_pem)
        for file, identity in (
            ("host", authority.issue_host(HOST_DNS_NAME, now)),
            ("terminal", authority.issue_terminal(terminal_id, now)),
        ):
            (folder / f"{file}.pem").write_bytes(identity.certificate_pem)
            (folder / f"{file}.key").write_bytes(identity.key_pem)
        return Ends(
            terminal=client_context(
                *(folder / n for n in ("hosts.pem", "terminal.pem", "terminal.key"))
            ),
            host=server_context(
                *(folder / n for n in ("terminals.pem", "host.pem", "host.key"))
            ),
            host_name=HOST_DNS_NAME,
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class VirtualLine:
    """The line between them.

    Attributes:
        settings: rate, delay and noise.
        seed: of the noise and of the link's nonces.
        cut_after_bytes: bytes after which it is cut, both ways together; None: never.
    """

    settings: LineSettings = field(default_factory=LineSettings)
    seed: int = 1
    cut_after_bytes: int | None = None


@dataclass(slots=True, kw_only=True)
class CallReport:
    """How a call went.

    Attributes:
        events: what the upload told.
        sent: the messages that went up, in their order.
        answered: the messages that came down.
        line_bytes: what has arrived over the line, both ways together.
        secured_ms: from CONNECT until messages could be sent; None when never.
        finished_ms: from CONNECT to the bank's last word; None when it never came.
    """

    events: list[UploadEvent] = field(default_factory=list)
    sent: list[bytes] = field(default_factory=list)
    answered: list[bytes] = field(default_factory=list)
    line_bytes: int = 0
    secured_ms: int | None = None
    finished_ms: int | None = None


def upload_once(
    upload: UploadMachine,
    intake: IntakeMachine,
    *,
    ends: Ends,
    now: dt.datetime,
    line: VirtualLine | None = None,
) -> CallReport:
    """Make one call; it ends in order, or is cut.

    Args:
        upload: the terminal's machine.
        intake: the host's machine.
        ends: certificates of both.
        now: the time of day at both ends, aware; it stands still.
        line: between them; None: 9600 bit/s and 100 ms, without noise or cut.

    Raises:
        RuntimeError: the call does not end; a defect of what is run.
    """
    call = _Call(upload, intake, now, ends, line or VirtualLine())
    call.run()
    return call.report


class _Call:
    def __init__(
        self,
        upload: UploadMachine,
        intake: IntakeMachine,
        now: dt.datetime,
        ends: Ends,
        line: VirtualLine,
    ) -> None:
        source = random.Random(line.seed)
        self.report = CallReport()
        self._upload = upload
        self._intake = intake
        self._now = now
        self._cut_after_bytes = line.cut_after_bytes
        self._now_ms = 0
        self._over = False
        self._up = Wire(line.settings, random.Random(source.getrandbits(64)))
        self._down = Wire(line.settings, random.Random(source.getrandbits(64)))
        rate_bps = line.settings.rate_bps
        self._terminal, self._host = (
            SecureSession(
                Link(nonce=source.getrandbits(32), line_rate_bps=rate_bps, now_ms=0),
                TLSSession(context, server_name=name),
            )
            for context, name in ((ends.terminal, ends.host_name), (ends.host, None))
        )

    def run(self) -> None:
        steps = 0
        while not self._over:
            self._carry(self._down, self._terminal)
            self._carry(self._up, self._host)
            self._take_turns()
            before_ms, self._now_ms = self._now_ms, self._next_ms()
            steps = steps + 1 if self._now_ms == before_ms else 0
            if self._now_ms > _LIMIT_MS or steps > _STEPS_AT_ONE_TIME_MAX:
                raise RuntimeError(f"the call does not end; at {self._now_ms} ms")

    def _carry(self, wire: Wire, to: SecureSession) -> None:
        """Hand over what has arrived, up to the byte at which the line is cut."""
        most = self._cut_after_bytes
        data = wire.receive(self._now_ms)
        left = len(data) if most is None else most - self.report.line_bytes
        to.receive_data(data[: max(left, 0)], self._now_ms)
        self.report.line_bytes += min(len(data), max(left, 0))
        if left < len(data) or most == self.report.line_bytes:
            self._cut()

    def _cut(self) -> None:
        """Both ends lose the line; what has arrived by now is still looked at."""
        for session in (self._terminal, self._host):
            session.line_lost("it was cut", self._now_ms)
        self._over = True

    def _take_turns(self) -> None:
        self._host_turn()
        self._terminal_turn()
        for session, wire in ((self._terminal, self._up), (self._host, self._down)):
            session.on_timer(self._now_ms)
            data = session.data_to_send(self._now_ms)
            if not self._over:
                wire.send(data, self._now_ms)
        self._terminal_turn()

    def _terminal_turn(self) -> None:
        report = self.report
        while (event := self._terminal.next_event()) is not None:
            match event:
                case Secured():
                    report.secured_ms = self._now_ms
                    self._say()
                case MessageReceived(message=message):
                    report.answered.append(message)
                    report.events += self._upload.receive(message, self._now)
                    self._say()
                case SessionEnded():
                    self._over = True
                case _:
                    pass

    def _say(self) -> None:
        if self._over:
            return
        for message in self._upload.messages_to_send(self._now):
            self.report.sent.append(message)
            self._terminal.send(message)
        if self._upload.finished and self.report.finished_ms is None:
            self.report.finished_ms = self._now_ms
            self._terminal.close()

    def _host_turn(self) -> None:
        """Take what has arrived together together, as the host does."""
        arrived: list[bytes] = []
        while (event := self._host.next_event()) is not None:
            if isinstance(event, MessageReceived):
                arrived.append(event.message)
        if not arrived:
            return
        for answer in self._intake.receive_group(arrived, self._now):
            if not self._over:
                self._host.send(answer)

    def _next_ms(self) -> int:
        times = (
            self._terminal.deadline_ms(self._now_ms),
            self._host.deadline_ms(self._now_ms),
            self._up.deadline_ms(),
            self._down.deadline_ms(),
        )
        due = [time_ms for time_ms in times if time_ms is not None]
        return max(self._now_ms, min(due, default=self._now_ms))
