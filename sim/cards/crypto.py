"""The card's cryptography: AES-128 CMAC, the KDF and ECB (card profile, Cryptography).

>>> kdf(bytes(range(16)), "PUR", bytes.fromhex("01 64 00 00 00 00 00 00 01")).hex()
'f02cb94e715b63cef14bd2f79e0493a9'
"""

from __future__ import annotations

import hmac
from typing import Final

from cryptography.hazmat.primitives.ciphers import Cipher, algorithms, modes
from cryptography.hazmat.primitives.cmac import CMAC

__all__ = ["KEY_BYTES", "MAC_BYTES", "cmac", "decrypt_ecb", "kdf", "mac8", "same"]

KEY_BYTES: Final = 16
MAC_BYTES: Final = 8


def cmac(key: bytes, message: bytes) -> bytes:
    """AES-CMAC (NIST SP 800-38B), all 16 bytes."""
    state = CMAC(algorithms.AES(key))
    state.update(message)
    return state.finalize()


def mac8(key: bytes, message: bytes) -> bytes:
    """The leftmost 8 bytes of the CMAC."""
    return cmac(key, message)[:MAC_BYTES]


def kdf(key: bytes, label: str, context: bytes) -> bytes:
    """NIST SP 800-108 in counter mode, one block: 16 bytes."""
    return cmac(key, b"\x01" + label.encode("ascii") + b"\x00" + context + b"\x00\x80")


def decrypt_ecb(key: bytes, cryptogram: bytes) -> bytes:
    """AES-ECB of whole blocks, as key and PIN cryptograms travel."""
    # The profile names ECB: the key is fresh for each command and under a MAC.
    cipher = Cipher(algorithms.AES(key), modes.ECB())  # noqa: S305  see above
    decryptor = cipher.decryptor()
    return decryptor.update(cryptogram) + decryptor.finalize()


def same(left: bytes, right: bytes) -> bool:
    """Compare in constant time, as a card must."""
    return hmac.compare_digest(left, right)
