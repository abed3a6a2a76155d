"""The production dialer through ser2net, a serial device server in wide use."""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING

import pytest

from sim.modems.exchange import TelephoneExchange
from sim.modems.pair import ModemPair
from sim.modems.rfc2217_port import Rfc2217Port
from sim.modems.server import ModemServer
from tests.interop.conftest import (
    FAST,
    carry_messages,
    child,
    close_both,
    free_tcp_port,
    listens,
    program,
    secured_call,
    see_carrier_drop,
    see_dtr_hang_up,
    wait_until,
)

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from tests.modem.conftest import Certificates

# pyserial 3.5 sets its reader thread up by methods that Python will lose one day.
pytestmark = pytest.mark.filterwarnings("ignore:set(Daemon|Name):DeprecationWarning")


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


def test_whole_call_passes_with_control_lines(
    tmp_path: Path, certificates: Certificates
) -> None:
    with (
        lines_served(tmp_path / "log") as (server, url),
        secured_call(url, server.answerer_ports[0], certificates) as ends,
    ):
        carry_messages(*ends)
        close_both(*ends)


def test_carrier_that_drops_ends_the_call(
    tmp_path: Path, certificates: Certificates
) -> None:
    with lines_served(tmp_path / "log") as (server, url):
        see_carrier_drop(url, server, certificates)


def test_dtr_hangs_up(tmp_path: Path, certificates: Certificates) -> None:
    with lines_served(tmp_path / "log") as (server, url):
        see_dtr_hang_up(url, server, certificates)
