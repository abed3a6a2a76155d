"""The issuer's master keys, behind one small interface.

Nothing outside this file sees a master, except where a customs card must be given
IMK-P. Everything else asks for a *card key*, which is derived here and lives only in
the verifier's memory. Two stores exist: one in memory, for tests and for the published
test keys, and an encrypted file for demonstrations and small banks. A PKCS#11 token
fits the same interface.

File format 1, JSON (text, so that a backup can be looked at), all values in hex::

    {"format": 1, "cipher": "AES-256-GCM",
     "kdf": {"name": "scrypt", "n": .., "r": .., "p": .., "salt": ..},
     "nonce": .., "sealed": ..}

What is sealed is JSON again: key versions, their five masters, and the chip maker's
transport master. Everything before ``nonce`` is authenticated with it.
"""

from __future__ import annotations

import json
import os
import secrets
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final, Protocol, Self

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.kdf.scrypt import Scrypt

from card.keys import KEY_BYTES, MasterKeys, derive_card_key
from card.profile import KeyUse
from settlement.errors import KeyStoreError

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

__all__ = [
    "SCRYPT_COST_DEFAULT",
    "TEST_MASTERS",
    "FileKeyStore",
    "IssuerMasters",
    "KeyStore",
    "MasterKeyStore",
]

_FORMAT: Final = 1
_SALT_BYTES: Final = 16
_NONCE_BYTES: Final = 12
_FILE_BYTES_MAX: Final = 1 << 20
"""A store of all 255 key versions has a tenth of this; more is not a key store."""
SCRYPT_COST_DEFAULT: Final = 1 << 16
"""N of scrypt: 64 MiB and about a fifth of a second for each guess."""
_SCRYPT_COST_MIN: Final = 1 << 10
_SCRYPT_COST_MAX: Final = 1 << 20
_SCRYPT_R: Final = 8
_SCRYPT_P: Final = 1

_MASTERS: Final = {
    KeyUse.PURCHASE: "purchase",
    KeyUse.LOAD: "load",
    KeyUse.TRANSACTION_CERTIFICATE: "transaction_certificate",
    KeyUse.MAINTENANCE: "maintenance",
    KeyUse.BATCH: "batch",
}
"""The five masters of a key version, by the names that `MasterKeys` gives them."""


class KeyStore(Protocol):
    """Where card keys come from. Key versions are 1 to 255, keys 16 bytes."""

    def card_key(self, use: KeyUse, kv: int, card_id: bytes) -> bytes:
        """The key of one card (8-byte CID, or MID for `KeyUse.BATCH`).

        Raises:
            KeyStoreError: the store has no masters of this version.
        """
        ...

    def card_keys(self, use: KeyUse, kv: int, card_ids: Sequence[bytes]) -> list[bytes]:
        """The keys of many cards, in their order; raises as `card_key` does."""
        ...

    def purchase_master(self, kv: int) -> bytes:
        """IMK-P itself, which only the personalisation of a customs card may ask for.

        Raises:
            KeyStoreError: the store has no masters of this version.
        """
        ...

    def transport_key(self, serial: bytes) -> bytes:
        """KTR of a blank chip, by its 8-byte serial number.

        Raises:
            KeyStoreError: the store has no transport master.
        """
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class IssuerMasters:
    """All masters of an issuer and the chip maker's.

    Attributes:
        versions: one set of masters for each key version, at least one.
        transport: TMK, 16 bytes.
    """

    versions: tuple[MasterKeys, ...]
    transport: bytes = field(repr=False)

    def __post_init__(self) -> None:
        assert self.versions, "an issuer has at least one key version"
        known = {masters.kv for masters in self.versions}
        assert len(known) == len(self.versions), "each key version once"
        assert 0 not in known, "key version 0 is the chip maker's"
        assert len(self.transport) == KEY_BYTES, "a key has 16 bytes"

    @classmethod
    def random(cls, kv: int, transport: bytes | None = None) -> Self:
        """New masters of one version, from the machine's own random source.

        Args:
            kv: their version.
            transport: the chip maker's TMK, 16 bytes; a random one when not given.
        """
        keys = {name: secrets.token_bytes(KEY_BYTES) for name in _MASTERS.values()}
        return cls(
            versions=(MasterKeys(kv=kv, **keys),),
            transport=transport or secrets.token_bytes(KEY_BYTES),
        )


TEST_MASTERS: Final = IssuerMasters(
    versions=(
        MasterKeys(
            kv=1,
            purchase=bytes(range(0x10)),
            load=bytes(range(0x10, 0x20)),
            transaction_certificate=bytes(range(0x20, 0x30)),
            maintenance=bytes(range(0x30, 0x40)),
            batch=bytes(range(0x40, 0x50)),
        ),
    ),
    transport=bytes(range(0x50, 0x60)),
)
"""The published masters of the profile's test vector. Everyone knows them: no money."""


class MasterKeyStore:
    """Derives from masters held in this process's memory."""

    def __init__(self, masters: IssuerMasters) -> None:
        """Hold ``masters``; nothing prints them."""
        self._versions = {version.kv: version for version in masters.versions}
        self._transport = masters.transport

    def __repr__(self) -> str:
        return f"{type(self).__name__}(key versions {self.key_versions})"

    @property
    def key_versions(self) -> tuple[int, ...]:
        """The key versions that cards can be issued under, ascending."""
        return tuple(sorted(self._versions))

    def card_key(self, use: KeyUse, kv: int, card_id: bytes) -> bytes:
        """See `KeyStore.card_key`."""
        return self._version(kv).card_key(use, card_id)

    def card_keys(self, use: KeyUse, kv: int, card_ids: Sequence[bytes]) -> list[bytes]:
        """See `KeyStore.card_keys`."""
        return self._version(kv).card_keys(use, card_ids)

    def purchase_master(self, kv: int) -> bytes:
        """See `KeyStore.purchase_master`."""
        return self._version(kv).purchase

    def transport_key(self, serial: bytes) -> bytes:
        """See `KeyStore.transport_key`."""
        return derive_card_key(self._transport, KeyUse.TRANSPORT, 0, serial)

    def _version(self, kv: int) -> MasterKeys:
        try:
            return self._versions[kv]
        except KeyError:
            message = f"the key store has no masters of key version {kv}"
            raise KeyStoreError(message) from None


class FileKeyStore(MasterKeyStore):
    """Masters in a file that a passphrase opens."""

    @classmethod
    def create(
        cls,
        path: Path,
        passphrase: bytes,
        masters: IssuerMasters,
        *,
        scrypt_cost: int = SCRYPT_COST_DEFAULT,
    ) -> Self:
        """Write a new store, mode 0600, durable when this returns.

        Args:
            path: must not exist: masters are never overwritten.
            passphrase: at least one byte; the caller may wipe it afterwards.
            masters: what to keep.
            scrypt_cost: N of scrypt, a power of two; tests take less.

        Raises:
            KeyStoreError: the passphrase is empty, the file exists, or the disk
                refuses; nothing usable was left behind.
        """
        if not passphrase:
            raise KeyStoreError("the passphrase of the key store is empty")
        content = _seal(passphrase, masters, scrypt_cost)
        _write_new(path, content)
        return cls(masters)

    @classmethod
    def open(cls, path: Path, passphrase: bytes) -> Self:
        """Open a store.

        Raises:
            KeyStoreError: the file is missing, unreadable, not a key store, changed,
                or the passphrase is wrong (the last two look the same by design).
        """
        try:
            if path.stat().st_size > _FILE_BYTES_MAX:
                raise KeyStoreError(f"{path} is too large to be a key store")
            content = path.read_bytes()
        except OSError as error:
            message = f"cannot read the key store {path}: {error.strerror}"
            raise KeyStoreError(message) from None
        return cls(_unseal(path, passphrase, content))


def _seal(passphrase: bytes, masters: IssuerMasters, cost: int) -> bytes:
    head: dict[str, Any] = {
        "format": _FORMAT,
        "cipher": "AES-256-GCM",
        "kdf": {
            "name": "scrypt",
            "n": cost,
            "r": _SCRYPT_R,
            "p": _SCRYPT_P,
            "salt": secrets.token_hex(_SALT_BYTES),
        },
    }
    nonce = secrets.token_bytes(_NONCE_BYTES)
    plain = {
        "transport": masters.transport.hex(),
        "versions": {
            str(masters_of.kv): {
                use.value: getattr(masters_of, name).hex()
                for use, name in _MASTERS.items()
            }
            for masters_of in masters.versions
        },
    }
    cipher = AESGCM(_file_key(passphrase, head["kdf"]))
    sealed = cipher.encrypt(nonce, json.dumps(plain).encode(), _canonical(head))
    document = {**head, "nonce": nonce.hex(), "sealed": sealed.hex()}
    return json.dumps(document, indent=2).encode() + b"\n"


def _unseal(path: Path, passphrase: bytes, content: bytes) -> IssuerMasters:
    try:
        document = json.loads(content)
        head = {name: document[name] for name in ("format", "cipher", "kdf")}
        nonce = bytes.fromhex(document["nonce"])
        sealed = bytes.fromhex(document["sealed"])
        if head["format"] != _FORMAT or len(nonce) != _NONCE_BYTES:
            raise KeyStoreError(f"{path} is not a key store of format {_FORMAT}")
        cipher = AESGCM(_file_key(passphrase, head["kdf"]))
        plain = json.loads(cipher.decrypt(nonce, sealed, _canonical(head)))
    except InvalidTag:
        message = f"the passphrase of {path} is wrong, or the file was changed"
        raise KeyStoreError(message) from None
    except (ValueError, TypeError, KeyError, AttributeError):
        raise KeyStoreError(f"{path} is damaged or is not a key store") from None
    return _masters_from(plain)


def _masters_from(plain: Mapping[str, Any]) -> IssuerMasters:
    """What was sealed; it was authenticated, so its form is ours."""
    return IssuerMasters(
        versions=tuple(
            MasterKeys(
                kv=int(kv),
                **{name: bytes.fromhex(keys[use]) for use, name in _MASTERS.items()},
            )
            for kv, keys in plain["versions"].items()
        ),
        transport=bytes.fromhex(plain["transport"]),
    )


def _file_key(passphrase: bytes, kdf: Mapping[str, Any]) -> bytes:
    if kdf["name"] != "scrypt" or kdf["r"] != _SCRYPT_R or kdf["p"] != _SCRYPT_P:
        raise ValueError("another key derivation")
    if not _SCRYPT_COST_MIN <= kdf["n"] <= _SCRYPT_COST_MAX:
        raise ValueError("a cost that would take the machine's memory")
    salt = bytes.fromhex(kdf["salt"])
    derivation = Scrypt(salt=salt, length=32, n=kdf["n"], r=_SCRYPT_R, p=_SCRYPT_P)
    return derivation.derive(passphrase)


def _canonical(head: Mapping[str, Any]) -> bytes:
    return json.dumps(head, sort_keys=True, separators=(",", ":")).encode()


def _write_new(path: Path, content: bytes) -> None:
    try:
        descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        with os.fdopen(descriptor, "wb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
    except OSError as error:
        message = f"cannot write the key store {path}: {error.strerror}"
        raise KeyStoreError(message) from None
