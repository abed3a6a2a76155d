"""A site's folder: ours alone, one program at a time, and told in plain words."""

from __future__ import annotations

import time
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from click.testing import CliRunner

from settlement.statements import BANK_ZONE
from sim.cards.errors import MemoryInUseError
from sim.counter import counter
from sim.demo import demo
from sim.owned_folder import try_lock
from sim.site import Site, SiteError, office_now

if TYPE_CHECKING:
    import click

COMMANDS = pytest.mark.parametrize("command", [counter, demo], ids=["counter", "demo"])


def run(command: click.Command, site: Path, *options: str) -> str:
    """The words of a command that refuses to begin."""
    result = CliRunner().invoke(command, ["--site", str(site), *options])
    assert result.exit_code == 1
    assert isinstance(result.exception, SystemExit), "no traceback"
    return result.output


@COMMANDS
def test_a_folder_that_holds_something_else_is_left_alone(
    tmp_path: Path, command: click.Command, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    folder = tmp_path / "work"
    folder.mkdir()
    (folder / "mine").write_text("precious")
    assert "holds something that is not a site of ours" in run(command, folder)
    assert [path.name for path in folder.iterdir()] == ["mine"]


@COMMANDS
@pytest.mark.parametrize("mark", ["raseed-site.lock", "bank-passphrase"])
def test_a_site_in_use_is_left_alone(
    tmp_path: Path, command: click.Command, mark: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    folder = tmp_path / "site"
    folder.mkdir()
    (folder / mark).touch()
    (folder / "books").touch()
    lock = try_lock(folder / "raseed-site.lock")
    assert lock is not None
    with open(lock):  # noqa: PTH123  a descriptor
        assert "Another program works on the site" in run(command, folder)
    assert (folder / "books").exists()


@COMMANDS
def test_a_folder_that_cannot_be_made_is_told_without_a_number(
    tmp_path: Path, command: click.Command, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    words = run(command, Path("/proc/nope"))
    assert "/proc/nope: No such file or directory" in words
    assert "Errno" not in words


def test_cards_in_use_are_told_plainly(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def in_use(_site: Site) -> None:
        raise MemoryInUseError("The simulated card in x is already in use.")

    monkeypatch.setattr(Site, "_open", in_use)
    with pytest.raises(SiteError, match="already in use"), Site(tmp_path, print):
        pass


def test_results_that_cannot_be_kept_are_told_before_anything_starts(
    tmp_path: Path,
) -> None:
    words = run(demo, tmp_path / "site", "--output", "/proc/nope")
    assert "The results cannot be put there (/proc/nope" in words
    assert not (tmp_path / "site").exists()


@pytest.mark.parametrize("zone", ["UTC0", "<+13>-13", "<-11>11"])
def test_the_office_has_the_banks_date_in_whatever_zone_the_machine_is(
    zone: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TZ", zone)
    time.tzset()
    try:
        assert office_now().utcoffset() == BANK_ZONE.utcoffset(None)
    finally:
        monkeypatch.undo()
        time.tzset()
