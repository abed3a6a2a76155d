"""How a PIN or a passphrase comes in: never on the command line, never echoed.

A command line is seen by every user of the machine (``ps``) and kept in the shell's
history, so a PIN comes by a hidden prompt, on standard input (``--pin-stdin``), or on
another file descriptor (``--pin-fd N``). It is kept in a `bytearray`, so that it can be
overwritten when it has been used.
"""

from __future__ import annotations

import os
import sys
import termios
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final, TypeVar

import click

from settlement.errors import SettlementError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

F = TypeVar("F", bound="Callable[..., Any]")

__all__ = [
    "PINSource",
    "SecretInputError",
    "pin_options",
    "pin_source",
    "read_passphrase",
    "read_password",
    "wipe",
]

PASSPHRASE_VARIABLE: Final = "RASEED_PASSPHRASE"  # noqa: S105 - its name, not it
PASSWORDS_FOLDER_VARIABLE: Final = "RASEED_OFFICER_PASSWORDS"
_SECRET_BYTES_MAX: Final = 1024
"""Longer than any PIN or passphrase; a binary file given by mistake ends here."""


class SecretInputError(SettlementError):
    """A PIN or passphrase was wanted and none came in, or too long a one."""


def wipe(secret: bytearray) -> None:
    """Overwrite a secret that is no longer needed."""
    secret[:] = bytes(len(secret))


@dataclass(frozen=True, slots=True, kw_only=True)
class PINSource:
    """Where PINs come from: lines of a file descriptor, or a hidden prompt."""

    descriptor: int | None

    def read(self, prompt: str) -> bytearray:
        """The next PIN, digits as ASCII bytes; the caller wipes it.

        Raises:
            SecretInputError: nothing came, or there is nobody to ask.
        """
        if self.descriptor is not None:
            return _read_line(self.descriptor)
        return _prompt(prompt)

    def read_new(self, prompt: str) -> bytearray:
        """A new PIN; a person types it twice, a machine writes it once.

        Raises:
            SecretInputError: as `read`, or the two are not the same.
        """
        first = self.read(prompt)
        if self.descriptor is not None:
            return first
        second = _prompt(f"{prompt} again")
        same = first == second
        wipe(second)
        if not same:
            wipe(first)
            raise SecretInputError(
                "The two PINs are not the same; nothing was changed. Start again."
            )
        return first


def pin_options(command: F) -> F:
    """Add ``--pin-fd`` and ``--pin-stdin``; they arrive as ``pin_fd, pin_stdin``."""
    command = click.option(
        "--pin-stdin", is_flag=True, help="Read the PIN from standard input, a line."
    )(command)
    return click.option(
        "--pin-fd",
        type=click.IntRange(min=0),
        metavar="N",
        help="Read the PIN from file descriptor N, a line.",
    )(command)


def pin_source(*, pin_fd: int | None, pin_stdin: bool) -> PINSource:
    """What the two options of `pin_options` mean together.

    Raises:
        click.UsageError: both were given.
    """
    if pin_fd is not None and pin_stdin:
        raise click.UsageError("--pin-fd and --pin-stdin exclude each other.")
    return PINSource(descriptor=0 if pin_stdin else pin_fd)


def read_passphrase(path: str | None, *, new: bool = False) -> bytearray:
    """The passphrase of the bank's keys.

    Args:
        path: file given by ``--passphrase-file``; its first line is the passphrase.
        new: whether a person is asked for it twice.

    Raises:
        SecretInputError: none came in, or an empty one.
        OSError: the file cannot be read.
    """
    if path is not None:
        descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
        try:
            return _read_line(descriptor)
        finally:
            os.close(descriptor)
    if (value := os.environ.get(PASSPHRASE_VARIABLE)) is not None:
        if not value:
            raise SecretInputError(
                f"{PASSPHRASE_VARIABLE} is set, but empty. Nothing was changed. Set it "
                "to the passphrase, unset it to be asked for the passphrase, or use "
                "--passphrase-file."
            )
        return bytearray(value.encode())
    first = _prompt("Passphrase of the bank's keys")
    if new:
        second = _prompt("The same passphrase again")
        if first != second:
            raise SecretInputError(
                "The two passphrases differ; nothing was made. Start again."
            )
    return first


def read_password(name: str, path: str | None, *, new: bool = False) -> bytearray:
    """The password of the bank officer ``name``; the caller wipes it.

    Args:
        name: who is asked.
        path: file given on the command line; its first line is the password. Without
            one the folder in the variable RASEED_OFFICER_PASSWORDS is looked into for
            a file of that name, and without that the officer is asked.
        new: whether a person is asked for it twice.

    Raises:
        SecretInputError: none came in, or the two are not the same.
        OSError: the file cannot be read.
    """
    folder = os.environ.get(PASSWORDS_FOLDER_VARIABLE)
    if path is None and folder:
        path = os.path.join(folder, os.path.basename(name))  # noqa: PTH118, PTH119 - a name, never a path
    if path is not None:
        return read_passphrase(path)
    first = _prompt(f"{'New password' if new else 'Password'} of officer {name}")
    if new:
        second = _prompt("The same password again")
        same = first == second
        wipe(second)
        if not same:
            wipe(first)
            raise SecretInputError(
                "The two passwords differ; nothing was changed. Start again."
            )
    return first


def _read_line(descriptor: int) -> bytearray:
    # Byte by byte: what follows the line belongs to the next read, perhaps by
    # somebody else.
    line = bytearray()
    try:
        while len(line) <= _SECRET_BYTES_MAX:
            byte = os.read(descriptor, 1)
            if not byte or byte == b"\n":
                break
            line += byte
    except OSError as error:
        raise SecretInputError(
            f"Cannot read the PIN or passphrase from file descriptor {descriptor}: "
            f"{error.strerror}. Nothing was changed."
        ) from None
    if line.endswith(b"\r"):
        del line[-1]
    if not line:
        raise SecretInputError(
            "No PIN or passphrase came in where one was to be read. Nothing was "
            "changed; write it there, ended by a new line."
        )
    if len(line) > _SECRET_BYTES_MAX:
        wipe(line)
        raise SecretInputError(
            "What came in is too long for a PIN or a passphrase. Nothing was changed. "
            "Give one line with it and nothing else."
        )
    return line


def _prompt(prompt: str) -> bytearray:
    if not sys.stdin.isatty():
        raise SecretInputError(
            f"{prompt}: there is no terminal to ask on. Nothing was changed; use "
            "--pin-stdin or --pin-fd for a PIN, --passphrase-file or "
            f"{PASSPHRASE_VARIABLE} for the passphrase, --password-file or "
            f"{PASSWORDS_FOLDER_VARIABLE} for an officer's password."
        )
    descriptor = sys.stdin.fileno()
    with _no_echo(descriptor):
        # Only now: what is typed after the prompt shows must not be echoed or dropped.
        sys.stderr.write(f"{prompt}: ")
        sys.stderr.flush()
        line = _read_line(descriptor)
    sys.stderr.write("\n")
    return line


@contextmanager
def _no_echo(descriptor: int) -> Iterator[None]:
    before = termios.tcgetattr(descriptor)
    silent = termios.tcgetattr(descriptor)
    silent[3] &= ~termios.ECHO
    # TCSAFLUSH drops what was typed before the prompt: it was meant for another one.
    termios.tcsetattr(descriptor, termios.TCSAFLUSH, silent)
    try:
        yield
    finally:
        termios.tcsetattr(descriptor, termios.TCSAFLUSH, before)
