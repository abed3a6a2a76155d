"""The terminal's next certificate: asked for, installed, torn, refused."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

import pytest
from click.testing import CliRunner

from modem.tls import client_context
from settlement.pki import END_DAYS, Authority
from settlement.pki_files import read_request
from terminal import renewal
from terminal.__main__ import terminal
from terminal.config import load_config
from tests.terminal.conftest import CONFIG_TEXT

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from click.testing import Result

# The command judges dates by the machine's own clock.
NOW = datetime.now(UTC)  # noqa: TID251
OTHER_ID = "T0000008"


class Place:
    """A terminal's folder as the bank wrote it, and the bank's authority."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.config_path = folder / "terminal.toml"
        self.config_path.write_text(CONFIG_TEXT)
        self.config = load_config(self.config_path)
        self.authority = Authority.create(NOW)
        identity = self.authority.issue_terminal(self.config.terminal.id, NOW)
        self.config.ca.write_bytes(self.authority.certificate_pem)
        self.config.certificate.write_bytes(identity.certificate_pem)
        self.config.key.write_bytes(identity.key_pem)

    @property
    def next_key(self) -> Path:
        return self.config.key.with_name("terminal.key.next")

    def run(self, *arguments: str) -> Result:
        command = ("certificate", *arguments, "--config", str(self.config_path))
        return CliRunner().invoke(terminal, command, prog_name="raseed-terminal")

    def request(self) -> Path:
        path = self.folder / "request.csr"
        result = self.run("request", str(path))
        assert result.exit_code == 0, result.output
        return path

    def answered(
        self,
        *,
        authority: Authority | None = None,
        terminal_id: str | None = None,
        at: datetime = NOW,
    ) -> Path:
        """What the bank sends back."""
        request = read_request(self.request().read_bytes())
        path = self.folder / "answer.pem"
        name = terminal_id or request.name
        issuer = authority or self.authority
        pem = issuer.certify_terminal(name, request.public_key, at, END_DAYS)
        path.write_bytes(pem)
        return path

    def state(self) -> dict[str, bytes]:
        paths = (self.config.key, self.config.certificate, self.next_key)
        return {path.name: path.read_bytes() for path in paths if path.exists()}

    def assert_usable(self) -> None:
        client_context(self.config.ca, self.config.certificate, self.config.key)


@pytest.fixture
def place(quick_path: Path) -> Place:
    return Place(quick_path)


def test_a_certificate_is_renewed_and_its_key_was_never_elsewhere(
    place: Place,
) -> None:
    before = place.state()
    answer = place.answered()
    assert place.next_key.stat().st_mode & 0o777 == 0o600
    assert b"PRIVATE" not in place.request().read_bytes()
    place.assert_usable()
    result = place.run("install", str(answer))
    assert result.exit_code == 0, result.output
    assert "in place" in result.output
    place.assert_usable()
    after = place.state()
    assert sorted(after) == ["terminal.key", "terminal.pem"]
    assert after["terminal.pem"] == answer.read_bytes()
    assert after["terminal.key"] != before["terminal.key"]
    assert place.config.key.stat().st_mode & 0o777 == 0o600


def test_asking_again_asks_for_the_same_key(place: Place) -> None:
    first = read_request(place.request().read_bytes())
    again = read_request(place.request().read_bytes())
    assert first == again
    assert first.name == place.config.terminal.id


def test_installing_again_after_it_was_cut_short_goes_on(
    place: Place, monkeypatch: pytest.MonkeyPatch
) -> None:
    answer = place.answered()

    def power_cut(_path: Path, _content: bytes) -> None:
        raise OSError(28, "No space left on device", "terminal.pem")

    with monkeypatch.context() as cut:
        cut.setattr(renewal, "replace_file", power_cut)
        result = place.run("install", str(answer))
        assert result.exit_code == 1
        assert "No space left on device" in result.output
    assert not place.next_key.exists()
    assert place.run("install", str(answer)).exit_code == 0
    place.assert_usable()


def _of_another_bank(place: Place) -> Path:
    return place.answered(authority=Authority.create(NOW))


def _for_another_terminal(place: Place) -> Path:
    return place.answered(terminal_id=OTHER_ID)


def _of_tomorrow(place: Place) -> Path:
    return place.answered(at=NOW + timedelta(days=3))


def _for_another_key(place: Place) -> Path:
    answer = place.answered()
    place.next_key.unlink()
    return answer


def _no_certificate(place: Place) -> Path:
    return place.request()


@pytest.mark.parametrize(
    ("make", "told"),
    [
        (_of_another_bank, "not from this terminal's bank"),
        (_for_another_terminal, "for another terminal"),
        (_of_tomorrow, "not valid today"),
        (_for_another_key, "a key that is not on this machine"),
        (_no_certificate, "holds no certificate"),
    ],
)
def test_what_does_not_fit_changes_nothing(
    place: Place, make: Callable[[Place], Path], told: str
) -> None:
    answer = make(place)
    before = place.state()
    result = place.run("install", str(answer))
    assert result.exit_code == 1
    assert told in result.output
    assert "Nothing was changed" in result.output
    assert place.state() == before


def test_a_next_key_that_is_none_is_named(place: Place) -> None:
    place.next_key.write_bytes(b"hello")
    result = place.run("request", str(place.folder / "request.csr"), "--json")
    assert result.exit_code == 1
    error = json.loads(result.stdout)["error"]
    assert error["kind"] == "Renewal"
    assert "terminal.key.next" in error["message"]


def test_a_file_that_cannot_be_written_is_named(place: Place) -> None:
    result = place.run("request", str(place.folder / "nowhere" / "request.csr"))
    assert result.exit_code == 1
    assert "nowhere" in result.output
    assert "still in place" in result.output


def test_both_commands_have_a_document_for_machines(place: Place) -> None:
    path = place.folder / "request.csr"
    asked = json.loads(place.run("request", str(path), "--json").stdout)
    assert asked == {"terminal": place.config.terminal.id, "request": str(path)}
    answer = place.answered()
    done = json.loads(place.run("install", str(answer), "--json").stdout)
    assert done["certificate_until"] > f"{NOW:%Y-%m-%d}"
