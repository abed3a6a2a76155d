"""The production dialer through ser2net, a serial device server in wide use."""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING, Final

import pytest
import serial

from modem.errors import CallLostError, PortError
from modem.serial_port import SerialPort
from sim.modems.exchange import TelephoneExchange
from sim.modems.pair import ModemPair
from sim.modems.rfc2217_port import Rfc2217Port
from sim.modems.server import ModemServer
from tests.interop.conftest import (
    FAST,
    NUMBER,
    PATIENCE_S,
    carry_messages,
    child,
    close_both,
    free_tcp_port,
    listens,
    program,
    secured_call,
    wait_until,
)

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from tests.modem.conftest import Certificates

# pyserial 3.5 sets its reader thread up by methods that Python will lose one day.
pytestmark = pytest.mark.filterwarnings("ignore:set(Daemon|Name):DeprecationWarning")

_OPENINGS: Final = 30


@contextmanager
def ser2net(connector: str, log: Path) -> Iterator[str]:
    """URL of a ser2net in front of ``connector``, a gensio in its words."""
    tcp_port = free_tcp_port()
    configuration = log.with_suffix(".yaml")
    configuration.write_text(
        "%YAML 1.1\n---\nconnection: &line\n"
        f"  accepter: telnet(rfc2217),tcp,127.0.0.1,{tcp_port}\n"
        f"  connector: {connector}\n"
    )
    # -u: without locks in a folder that not every user may write to.
    arguments = [program("ser2net"), "-n", "-u", "-c", str(configuration)]
    with child(arguments, log) as serving:
        wait_until(
            lambda: listens(tcp_port) or serving.poll() is not None, "word of ser2net"
        )
        assert serving.poll() is None, log.read_text()
        yield f"rfc2217://127.0.0.1:{tcp_port}"


def before_the_modem_of(server: ModemServer) -> str:
    """ser2net's client of RFC 2217 at the calling modem, whose lines it hands on."""
    host, port = server.caller_ports[0].removeprefix("rfc2217://").split(":")
    return f"telnet(rfc2217),tcp,{host},{port}"


@contextmanager
def lines_served(log: Path) -> Iterator[tuple[ModemServer, str]]:
    """Modems with control lines, and the URL of the calling one through ser2net."""
    exchange = TelephoneExchange(FAST)
    with (
        ModemServer(exchange, (Rfc2217Port, Rfc2217Port)) as server,
        ser2net(before_the_modem_of(server), log) as url,
    ):
        yield server, url


def test_whole_calls_pass_before_a_modem_without_control_lines(
    tmp_path: Path, certificates: Certificates
) -> None:
    with ModemPair(FAST) as pair:
        device = f"serialdev,{pair.near_path.resolve()},115200n81,local"
        with ser2net(device, tmp_path / "log") as url:
            for _ in range(2):
                # ser2net does not answer what it cannot set on this device, DTR.
                near_port = f"{url}?ign_set_control"
                with secured_call(near_port, str(pair.far_path), certificates) as ends:
                    carry_messages(*ends)
                    close_both(*ends)
        assert pair.calls_connected == 2


def test_a_modem_without_control_lines_is_told_with_the_remedy(tmp_path: Path) -> None:
    with ModemPair(FAST) as pair:
        device = f"serialdev,{pair.near_path.resolve()},115200n81,local"
        with (
            ser2net(device, tmp_path / "log") as url,
            pytest.raises(PortError, match=r"add \?ign_set_control to the port's name"),
        ):
            SerialPort(url, 115_200)


def test_whole_call_passes_with_control_lines(
    tmp_path: Path, certificates: Certificates
) -> None:
    with (
        lines_served(tmp_path / "log") as (server, url),
        secured_call(url, server.answerer_ports[0], certificates) as ends,
    ):
        carry_messages(*ends)
        close_both(*ends)


def test_cut_call_is_told_to_both_ends(
    tmp_path: Path, certificates: Certificates
) -> None:
    with (
        lines_served(tmp_path / "log") as (server, url),
        secured_call(url, server.answerer_ports[0], certificates) as (near, far),
    ):
        server.drop_call()
        for end in (near, far):
            with pytest.raises(CallLostError, match=r"carrier|NO CARRIER"):
                end.receive(PATIENCE_S * 1000)
            end.close()


def test_dtr_hangs_up_and_carrier_shows_it(tmp_path: Path) -> None:
    with (
        lines_served(tmp_path / "log") as (server, url),
        serial.serial_for_url(server.answerer_ports[0], timeout=PATIENCE_S) as far,
        opened_with_lines(url) as near,
    ):
        far.write(b"ATE0S0=1\r")
        near.write(b"ATDT" + NUMBER.encode() + b"\r")
        assert far.read_until(b"CONNECT 115200\r\n").endswith(b"115200\r\n")
        wait_until(lambda: bool(near.cd), "carrier")
        near.dtr = False
        assert far.read_until(b"NO CARRIER\r\n") == b"\r\nNO CARRIER\r\n"
        wait_until(lambda: not near.cd, "drop of the carrier")


def opened_with_lines(url: str) -> serial.Serial:
    """pyserial's client at a connection through which control lines are told.

    A client that is done with its opening words sooner than ser2net with its own
    towards a second server never hears of a line (ser2net 4.3.11): it calls again.
    """
    for _ in range(_OPENINGS):
        port: serial.Serial = serial.serial_for_url(url, timeout=PATIENCE_S)
        try:
            _ = port.cd
        except serial.SerialException:
            port.close()
        else:
            return port
    pytest.fail("ser2net told no control lines in any connection")
