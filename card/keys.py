"""Keys and their derivation: AES-128 CMAC and the KDF of card profile 1.

CMAC is NIST SP 800-38B (RFC 4493); the KDF is NIST SP 800-108 in counter mode with one
block. No key shows in a ``repr``.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final, assert_never

from cryptography.hazmat.primitives.ciphers import Cipher, algorithms, modes
from cryptography.hazmat.primitives.cmac import CMAC

from card.profile import KeyUse

if TYPE_CHECKING:
    from collections.abc import Sequence

__all__ = [
    "KEY_BYTES",
    "MasterKeys",
    "PurseKeys",
    "cmac",
    "derive_card_key",
    "derive_card_keys",
    "encrypt_blocks",
    "kdf",
]

KEY_BYTES: Final = 16
_BLOCK_BYTES: Final = 16
_REDUCTION: Final = 0x87
"""R of SP 800-38B for blocks of 128 bits."""
_KDF_COUNTER: Final = b"\x01"
_KDF_OUTPUT_BITS: Final = (128).to_bytes(2, "big")


def cmac(key: bytes, message: bytes) -> bytes:
    """AES-128 CMAC of ``message``, 16 bytes (NIST SP 800-38B).

    >>> key = bytes.fromhex("2b7e151628aed2a6abf7158809cf4f3c")
    >>> cmac(key, b"").hex()
    'bb1d6929e95937287fa37d129b756746'
    """
    mac = CMAC(algorithms.AES(key))
    mac.update(message)
    return mac.finalize()


def kdf(key: bytes, label: str, context: bytes) -> bytes:
    """A 16-byte key: CMAC(key, 01 || label || 00 || context || 0080).

    Args:
        key: 16 bytes.
        label: ASCII, such as ``"SES"``.
        context: what the new key is bound to.
    """
    fixed = label.encode("ascii") + b"\x00" + context + _KDF_OUTPUT_BITS
    return cmac(key, _KDF_COUNTER + fixed)


def derive_card_key(master: bytes, use: KeyUse, kv: int, card_id: bytes) -> bytes:
    """The key of one card, 16 bytes: KDF(master, use, kv || card_id).

    Args:
        master: the issuer's master key for this use, 16 bytes.
        use: what the key is for; its value is the label.
        kv: key version, one byte; 0 for `KeyUse.TRANSPORT`.
        card_id: CID, MID or chip serial, 8 bytes.
    """
    assert len(card_id) == 8, "a card's id has 8 bytes"
    return kdf(master, use.value, bytes((kv,)) + card_id)


def derive_card_keys(
    master: bytes, use: KeyUse, kv: int, card_ids: Sequence[bytes]
) -> list[bytes]:
    """The same as `derive_card_key` for many cards, by one run of the cipher.

    What the KDF takes in is one whole block for every card: 01, a label of three
    letters, 00, kv, the card's id, 0080. CMAC of one whole block is a single encryption
    of that block and the subkey K1 (SP 800-38B, 6.2).

    Returns:
        Their keys, 16 bytes each, in the order of ``card_ids``.
    """
    head = _KDF_COUNTER + use.value.encode("ascii") + b"\x00" + bytes((kv,))
    size = len(head) + 8 + len(_KDF_OUTPUT_BITS)
    assert size == _BLOCK_BYTES, "every use has a label of three letters"
    assert all(len(card_id) == 8 for card_id in card_ids), "a card's id has 8 bytes"
    blocks = b"".join([head + card_id + _KDF_OUTPUT_BITS for card_id in card_ids])
    encryptor = Cipher(algorithms.AES(master), modes.ECB()).encryptor()  # noqa: S305  CMAC is made of it
    k1 = _doubled(encryptor.update(bytes(_BLOCK_BYTES)))
    keys = encryptor.update(_xor(blocks, k1 * len(card_ids)))
    starts = range(0, len(keys), KEY_BYTES)
    return [keys[start : start + KEY_BYTES] for start in starts]


def _doubled(block: bytes) -> bytes:
    """A block times x in GF(2^128), as SP 800-38B makes K1 of the encrypted zeros."""
    number = int.from_bytes(block, "big") << 1
    if number >> 128:
        number ^= 1 << 128 | _REDUCTION
    return number.to_bytes(_BLOCK_BYTES, "big")


def _xor(left: bytes, right: bytes) -> bytes:
    number = int.from_bytes(left, "big") ^ int.from_bytes(right, "big")
    return number.to_bytes(len(left), "big")


def encrypt_blocks(key: bytes, blocks: bytes) -> bytes:
    """AES-128 ECB of whole 16-byte blocks, as the cards take new PINs and keys.

    ECB is the profile's: every key encrypts the blocks of a single command.
    """
    assert len(blocks) % 16 == 0, "whole blocks only"
    encryptor = Cipher(algorithms.AES(key), modes.ECB()).encryptor()  # noqa: S305 - see above
    return encryptor.update(blocks) + encryptor.finalize()


@dataclass(frozen=True, slots=True, kw_only=True)
class PurseKeys:
    """The four keys of one purse, 16 bytes each, all of one version.

    Attributes:
        kv: their version.
        purchase: KP.
        load: KL.
        transaction_certificate: KT.
        maintenance: KM.
    """

    kv: int
    purchase: bytes = field(repr=False)
    load: bytes = field(repr=False)
    transaction_certificate: bytes = field(repr=False)
    maintenance: bytes = field(repr=False)

    def __post_init__(self) -> None:
        keys = (
            self.purchase,
            self.load,
            self.transaction_certificate,
            self.maintenance,
        )
        assert all(len(key) == KEY_BYTES for key in keys), "a key has 16 bytes"


@dataclass(frozen=True, slots=True, kw_only=True)
class MasterKeys:
    """The issuer's masters of one version, 16 bytes each; only the bank holds them.

    Attributes:
        kv: their version.
        purchase: IMK-P.
        load: IMK-L.
        transaction_certificate: IMK-T.
        maintenance: IMK-M.
        batch: IMK-B.
    """

    kv: int
    purchase: bytes = field(repr=False)
    load: bytes = field(repr=False)
    transaction_certificate: bytes = field(repr=False)
    maintenance: bytes = field(repr=False)
    batch: bytes = field(repr=False)

    def __post_init__(self) -> None:
        keys = (
            self.purchase,
            self.load,
            self.transaction_certificate,
            self.maintenance,
            self.batch,
        )
        assert all(len(key) == KEY_BYTES for key in keys), "a key has 16 bytes"
        assert 0 <= self.kv <= 0xFF, "a key version has one byte"

    def of(self, use: KeyUse) -> bytes:
        """The master for ``use``.

        Raises:
            ValueError: ``use`` is TRANSPORT, whose master is the chip maker's.
        """
        match use:
            case KeyUse.PURCHASE:
                return self.purchase
            case KeyUse.LOAD:
                return self.load
            case KeyUse.TRANSACTION_CERTIFICATE:
                return self.transaction_certificate
            case KeyUse.MAINTENANCE:
                return self.maintenance
            case KeyUse.BATCH:
                return self.batch
            case KeyUse.TRANSPORT:
                raise ValueError("the transport master is none of the issuer's")
            case _:
                assert_never(use)

    def card_key(self, use: KeyUse, card_id: bytes) -> bytes:
        """The key for ``use`` of the card with this CID or MID."""
        return derive_card_key(self.of(use), use, self.kv, card_id)

    def card_keys(self, use: KeyUse, card_ids: Sequence[bytes]) -> list[bytes]:
        """The keys for ``use`` of the cards with these CIDs or MIDs, in their order."""
        return derive_card_keys(self.of(use), use, self.kv, card_ids)

    def purse_keys(self, cid: bytes) -> PurseKeys:
        """All keys of one purse."""
        return PurseKeys(
            kv=self.kv,
            purchase=self.card_key(KeyUse.PURCHASE, cid),
            load=self.card_key(KeyUse.LOAD, cid),
            transaction_certificate=self.card_key(KeyUse.TRANSACTION_CERTIFICATE, cid),
            maintenance=self.card_key(KeyUse.MAINTENANCE, cid),
        )

    def batch_key(self, mid: bytes) -> bytes:
        """KB of one customs card."""
        return self.card_key(KeyUse.BATCH, mid)
