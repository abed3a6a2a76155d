"""The other end of vpcd's wire, as pcscd speaks it."""

from __future__ import annotations

import socket
from typing import TYPE_CHECKING, Self

import pytest

from sim.pcscd import free_port_pair

if TYPE_CHECKING:
    from collections.abc import Iterator
    from types import TracebackType

_TIMEOUT_S = 20


class FakeSlot:
    """One slot of the vpcd driver: listens, and talks to the card that connects."""

    def __init__(self, port: int) -> None:
        self.port = port
        self._listener = socket.create_server(("127.0.0.1", port))
        self._listener.settimeout(_TIMEOUT_S)
        self._card: socket.socket | None = None

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.drop()
        self._listener.close()

    def wait_for_card(self) -> None:
        self.drop()
        self._card, _address = self._listener.accept()
        self._card.settimeout(_TIMEOUT_S)

    def drop(self) -> None:
        """End the connection, as pcscd does when it stops."""
        if self._card is not None:
            self._card.close()
            self._card = None

    def send(self, message: bytes, *, byte_by_byte: bool = False) -> None:
        assert self._card is not None
        raw = len(message).to_bytes(2, "big") + message
        for part in (
            (raw[i : i + 1] for i in range(len(raw))) if byte_by_byte else [raw]
        ):
            self._card.sendall(part)

    def receive(self) -> bytes | None:
        """One answer; None when the card has gone."""
        head = self._exactly(2)
        return None if head is None else self._exactly(int.from_bytes(head, "big"))

    def ask(self, message: str | bytes, *, byte_by_byte: bool = False) -> str | None:
        raw = bytes.fromhex(message) if isinstance(message, str) else message
        self.send(raw, byte_by_byte=byte_by_byte)
        answer = self.receive()
        return None if answer is None else answer.hex().upper()

    def _exactly(self, count: int) -> bytes | None:
        assert self._card is not None
        received = b""
        while len(received) < count:
            try:
                part = self._card.recv(count - len(received))
            except ConnectionResetError:
                return None
            if not part:
                return None
            received += part
        return received


@pytest.fixture
def slot() -> Iterator[FakeSlot]:
    """A slot whose next port is free too."""
    with FakeSlot(free_port_pair()) as slot:
        yield slot


@pytest.fixture
def next_slot(slot: FakeSlot) -> Iterator[FakeSlot]:
    """The slot at the port after ``slot``'s."""
    with FakeSlot(slot.port + 1) as second:
        yield second
