"""How PINs and passphrases come in: whole, once, and never echoed."""

from __future__ import annotations

import os
import pty
import select
import subprocess
import sys
from typing import TYPE_CHECKING

import click
import pytest

from settlement.commands.secret_input import (
    PASSPHRASE_VARIABLE,
    PINSource,
    SecretInputError,
    pin_source,
    read_passphrase,
    wipe,
)

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


@pytest.fixture
def pipe() -> Iterator[tuple[int, int]]:
    near, far = os.pipe()
    yield near, far
    for descriptor in (near, far):
        try:
            os.close(descriptor)
        except OSError:
            continue


def test_two_pins_come_from_two_lines(pipe: tuple[int, int]) -> None:
    os.write(pipe[1], b"1234\r\n56789\nrest")
    source = PINSource(descriptor=pipe[0])
    assert source.read("PIN") == b"1234"
    assert source.read_new("New PIN") == b"56789"
    assert os.read(pipe[0], 10) == b"rest"


def test_a_last_line_needs_no_new_line(pipe: tuple[int, int]) -> None:
    os.write(pipe[1], b"1234")
    os.close(pipe[1])
    assert PINSource(descriptor=pipe[0]).read("PIN") == b"1234"


def test_no_pin_where_one_was_to_come_is_told(pipe: tuple[int, int]) -> None:
    os.close(pipe[1])
    with pytest.raises(SecretInputError, match="Nothing was changed"):
        PINSource(descriptor=pipe[0]).read("PIN")


def test_a_closed_descriptor_is_told() -> None:
    with pytest.raises(SecretInputError, match="file descriptor 987"):
        PINSource(descriptor=987).read("PIN")


def test_an_endless_line_is_refused(pipe: tuple[int, int]) -> None:
    os.write(pipe[1], b"9" * 2000)
    with pytest.raises(SecretInputError, match="too long") as caught:
        PINSource(descriptor=pipe[0]).read("PIN")
    assert "9" not in str(caught.value)


def test_a_wiped_secret_is_gone() -> None:
    secret = bytearray(b"1234")
    wipe(secret)
    assert secret == bytes(4)


def test_one_source_of_pins_is_enough() -> None:
    with pytest.raises(click.UsageError, match="exclude"):
        pin_source(pin_fd=3, pin_stdin=True)


def test_the_passphrase_is_the_first_line_of_its_file(tmp_path: Path) -> None:
    file = tmp_path / "passphrase"
    file.write_text("correct horse\nbattery\n")
    assert read_passphrase(str(file)) == b"correct horse"


def test_the_passphrase_comes_from_the_environment(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv(PASSPHRASE_VARIABLE, "كلمة السر")
    assert read_passphrase(None) == "كلمة السر".encode()


def test_an_empty_passphrase_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(PASSPHRASE_VARIABLE, "")
    with pytest.raises(SecretInputError, match="empty"):
        read_passphrase(None)


_ASK = """
from settlement.commands.secret_input import PINSource, SecretInputError
try:
    pin = PINSource(descriptor=None).read_new("New PIN")
    print("read", len(pin), "digits")
except SecretInputError as error:
    print("refused:", error)
"""


def _converse(answers: list[bytes]) -> str:
    """Run the prompt on a terminal of its own; all that the terminal shows."""
    near, far = pty.openpty()
    with subprocess.Popen(  # noqa: S603 - our own fixed words
        [sys.executable, "-c", _ASK], stdin=far, stdout=far, stderr=far
    ) as program:
        try:
            os.close(far)
            shown = b""
            while True:
                ready, _, _ = select.select([near], [], [], 20)
                assert ready, shown
                try:
                    chunk = os.read(near, 1000)
                except OSError:
                    break  # Linux: the last of the far side's holders has closed it
                if not chunk:
                    break
                shown += chunk
                if chunk.endswith(b": ") and answers:
                    os.write(near, answers.pop(0))
            assert program.wait(20) == 0
        finally:
            program.kill()
    os.close(near)
    return shown.decode()


def test_a_person_types_a_new_pin_twice_and_sees_no_digit() -> None:
    shown = _converse([b"90817\n", b"90817\n"])
    assert "read 5 digits" in shown
    assert "90817" not in shown


def test_two_different_new_pins_change_nothing() -> None:
    shown = _converse([b"90817\n", b"90818\n"])
    assert "refused: The two PINs are not the same" in shown


def test_without_a_terminal_the_message_names_the_other_ways() -> None:
    answer = subprocess.run(  # noqa: S603 - our own fixed words
        [sys.executable, "-c", _ASK],
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        check=True,
    )
    assert "--pin-stdin" in answer.stdout
