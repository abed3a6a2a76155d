"""The seal on card records in the journal: AES-256-GCM under a key file of its own.

The journal must hold whole transaction records, since the bank and the cards need them,
but a full card number must not lie readable on a counter's disk. So records are sealed,
and a card is found again by a keyed digest of its number. The key file is made on the
first start, with mode 0600, and is never made again beside a journal that exists: a new
key could not open what the old one sealed.
"""

from __future__ import annotations

import hmac
import os
import stat
from typing import TYPE_CHECKING, Final, Self

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from terminal.errors import KeyFileLostError, VaultError

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

__all__ = ["Vault"]

_HEADER: Final = b"raseed journal key 1\n"
_KEY_BYTES: Final = 32
_NONCE_BYTES: Final = 12
_REFERENCE_BYTES: Final = 16
_MARK_BYTES: Final = 8
_PRIVATE_MODE: Final = 0o600


class Vault:
    """Seals and opens records; its ``repr`` tells nothing."""

    def __init__(self, key: bytes, random_bytes: Callable[[int], bytes]) -> None:
        """Use ``key`` (32 bytes) for seals and for card references."""
        if len(key) != _KEY_BYTES:
            raise KeyFileLostError("The journal's key is not 32 bytes long.")
        self._random_bytes = random_bytes
        # One key, two uses: HMAC under a label gives each its own.
        self._seal = AESGCM(hmac.digest(key, b"seal", "sha256"))
        self._reference_key = hmac.digest(key, b"card reference", "sha256")

    @classmethod
    def open(
        cls, path: Path, *, create: bool, random_bytes: Callable[[int], bytes]
    ) -> Self:
        """Read the key file, or make it when it is missing and ``create`` is set.

        Raises:
            VaultError: it is missing and must not be made, others may read it, or it
                is damaged. Nothing was changed.
        """
        if not path.exists():
            if not create:
                raise KeyFileLostError(
                    f"The journal's key file '{path}' is missing, and the journal "
                    "cannot be read without it. Nothing was changed. Restore the file "
                    "from the backup of this terminal."
                )
            _make_key_file(path, random_bytes(_KEY_BYTES))
        content = _read_key_file(path)
        try:
            return cls.of_file(content, random_bytes)
        except KeyFileLostError:
            raise KeyFileLostError(
                f"'{path}' is not a journal's key file, or is damaged. Nothing was "
                "changed. Restore it from the backup of this terminal."
            ) from None

    @classmethod
    def of_file(cls, content: bytes, random_bytes: Callable[[int], bytes]) -> Self:
        """Use the key in the ``content`` of a key file.

        Raises:
            KeyFileLostError: it is none, or is damaged.
        """
        try:
            if not content.startswith(_HEADER):
                raise ValueError
            key = bytes.fromhex(content.removeprefix(_HEADER).decode("ascii"))
        except ValueError:
            raise KeyFileLostError("This is not a journal's key file.") from None
        return cls(key, random_bytes)

    @property
    def mark(self) -> bytes:
        """A digest (8 bytes) by which the key is known, and is not told."""
        return self.card_reference(b"journal key")[:_MARK_BYTES]

    def seal(self, plain: bytes, context: str) -> bytes:
        """Encrypt ``plain``; the seal opens only under the same ``context``.

        Returns:
            Nonce (12 bytes), ciphertext, tag (16 bytes).
        """
        nonce = self._random_bytes(_NONCE_BYTES)
        return nonce + self._seal.encrypt(nonce, plain, context.encode())

    def unseal(self, sealed: bytes, context: str) -> bytes:
        """Undo `seal`.

        Raises:
            VaultError: the seal is damaged, or is another key's or another place's.
        """
        nonce, body = sealed[:_NONCE_BYTES], sealed[_NONCE_BYTES:]
        try:
            return self._seal.decrypt(nonce, body, context.encode())
        except (InvalidTag, ValueError):
            raise VaultError(
                f"The journal's record '{context}' does not open: it is damaged, or "
                "the key file is another journal's. Nothing was changed. Restore both "
                "from the backup of this terminal."
            ) from None

    def card_reference(self, card_id: bytes) -> bytes:
        """A digest (16 bytes) by which a card is found, and its number is not."""
        return hmac.digest(self._reference_key, card_id, "sha256")[:_REFERENCE_BYTES]


def _make_key_file(path: Path, key: bytes) -> None:
    unfinished = path.with_name(f".{path.name}.new")
    unfinished.unlink(missing_ok=True)
    flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL
    descriptor = os.open(unfinished, flags, _PRIVATE_MODE)
    with os.fdopen(descriptor, "wb") as file:
        file.write(_HEADER + key.hex().encode() + b"\n")
        file.flush()
        os.fsync(file.fileno())
    unfinished.rename(path)
    folder = os.open(path.parent, os.O_RDONLY | os.O_DIRECTORY)
    try:
        # Without this a power cut could keep the journal and lose the key's name.
        os.fsync(folder)
    finally:
        os.close(folder)


def _read_key_file(path: Path) -> bytes:
    try:
        mode = path.stat().st_mode
        content = path.read_bytes()
    except OSError as error:
        raise VaultError(
            f"The journal's key file '{path}' cannot be read: {error.strerror}."
        ) from None
    if stat.S_IMODE(mode) & 0o077:
        raise VaultError(
            f"Others can read the journal's key file '{path}'. Nothing was changed. "
            f"Take that right away: chmod 600 {path}"
        )
    return content
