"""A PostgreSQL of one's own: out of reach of others, and gone with its program."""

from __future__ import annotations

import os
import select
import signal
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from sim.postgres import PrivatePostgres, PrivatePostgresError

if TYPE_CHECKING:
    from collections.abc import Iterator

WAIT_S = 60


@pytest.fixture(scope="module")
def durable() -> Iterator[PrivatePostgres]:
    with PrivatePostgres(settings={"work_mem": "5MB"}) as server:
        yield server


def test_it_listens_on_no_network(durable: PrivatePostgres) -> None:
    assert durable.run_sql("postgres", "SHOW listen_addresses").strip() == ""
    folder = durable.run_sql("postgres", "SHOW unix_socket_directories").strip()
    assert oct(Path(folder).stat().st_mode)[-3:] == "700"


def test_it_waits_for_the_disk_unless_told_otherwise(
    durable: PrivatePostgres, postgres: PrivatePostgres
) -> None:
    assert durable.run_sql("postgres", "SHOW fsync").strip() == "on"
    assert postgres.run_sql("postgres", "SHOW fsync").strip() == "off"


def test_it_takes_settings(durable: PrivatePostgres) -> None:
    assert durable.run_sql("postgres", "SHOW work_mem").strip() == "5MB"


def test_it_does_not_run_as_root(durable: PrivatePostgres) -> None:
    assert Path(f"/proc/{durable.pid}").stat().st_uid != 0


def test_a_wrong_statement_is_told_in_the_servers_words(
    durable: PrivatePostgres,
) -> None:
    with pytest.raises(PrivatePostgresError, match="syntax error"):
        durable.run_sql("postgres", "SELEC 1")


def test_a_setting_that_it_does_not_know_keeps_it_from_starting() -> None:
    server = PrivatePostgres(settings={"no_such_setting": "1"})
    with pytest.raises(PrivatePostgresError, match="no_such_setting"), server:
        pass


def test_its_folder_goes_with_it() -> None:
    with PrivatePostgres(durable=False) as server:
        folder = Path(server.run_sql("postgres", "SHOW data_directory").strip())
        assert folder.is_dir()
    assert not folder.parent.exists()


def test_it_ends_with_a_program_that_is_killed() -> None:
    program = (
        "import sys\nfrom sim.postgres import PrivatePostgres\n"
        "with PrivatePostgres(durable=False) as server:\n"
        "    print(server.pid, flush=True)\n    sys.stdin.read()\n"
    )
    with subprocess.Popen(  # noqa: S603  our own fixed words
        [sys.executable, "-c", program],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
    ) as owner:
        assert owner.stdout is not None
        server = os.pidfd_open(int(owner.stdout.readline()))
        try:
            owner.send_signal(signal.SIGKILL)
            assert select.select([server], [], [], WAIT_S)[0], "PostgreSQL lives on"
        finally:
            os.close(server)
