"""Every MAC of card profile 1 that a bank, an auditor or a card desk computes.

Functions without ``verify`` compute; they take the card's own key (KP, KL, KT, KM, KB),
never a master. Those with ``verify`` compare in constant time. The cards compute the
same MACs in code of their own.
"""

from __future__ import annotations

import hmac
from typing import TYPE_CHECKING, Final

from card.fields import currency_bytes, uint4
from card.keys import cmac, kdf

if TYPE_CHECKING:
    from collections.abc import Sequence

    from card.batch import BatchClose
    from card.transaction import LoadRecord, LoadRequest, TransactionRecord

__all__ = [
    "ack",
    "bank_ack_mac",
    "close_mac",
    "load_m1",
    "load_m2",
    "load_vmac",
    "load_vreq",
    "ltac",
    "mac1",
    "mac2",
    "maintenance_encryption_key",
    "maintenance_mac",
    "purchase_s",
    "signed_debit",
    "tac",
    "verify_close_mac",
    "verify_load_m1",
    "verify_load_vmac",
    "verify_ltac",
    "verify_tac",
    "verify_tacs",
    "verify_vmac",
    "vmac",
    "vreq",
]

_MAC_BYTES: Final = 8
_TAC_HEAD: Final = b"\x04"


def _mac8(key: bytes, message: bytes) -> bytes:
    return cmac(key, message)[:_MAC_BYTES]


# The purchase. KP is known to purse, bank and, through IMK-P, the customs cards; KT
# only to purse and bank.


def purchase_s(kp: bytes, *, tx: TransactionRecord, rc: bytes) -> bytes:
    """S, by which a customs card knows a real purse, 8 bytes.

    Args:
        kp: the purse's purchase key.
        tx: the payment; its tsn and time do not enter.
        rc: the purse's challenge, 8 bytes.
    """
    key = kdf(kp, "INI", rc + tx.cid + uint4(tx.otc) + tx.mid)
    amount = uint4(tx.amount_minor) + currency_bytes(tx.currency)
    return _mac8(key, amount + tx.digest)


def mac1(kp: bytes, *, tx: TransactionRecord, rc: bytes) -> bytes:
    """MAC1, customs card to purse, 8 bytes; ``rc`` is the purse's challenge."""
    return _mac8(_session_key(kp, tx, rc), b"\x01" + tx.to_bytes())


def tac(
    kt: bytes,
    tx: TransactionRecord,
    *,
    balance_after_minor: int,
    cumulative_debit_minor: int,
) -> bytes:
    """TAC, purse to bank, 8 bytes: the bank pays on this alone."""
    signed = signed_debit(tx, balance_after_minor, cumulative_debit_minor)
    return _mac8(kt, _TAC_HEAD + signed)


def signed_debit(
    tx: TransactionRecord, balance_after_minor: int, cumulative_debit_minor: int
) -> bytes:
    """What a TAC is made over, without its head: TX47 balanceAfter4 cumulative8."""
    return tx.to_bytes() + _counters(balance_after_minor, cumulative_debit_minor)


def verify_tacs(
    kts: Sequence[bytes], debits: Sequence[tuple[bytes, bytes]]
) -> list[bool]:
    """Whether the TAC of each debit is right under the KT of its card, in order.

    Args:
        kts: one key for each debit, 16 bytes.
        debits: what was signed (see `signed_debit`) and the TAC that came with it.
    """
    return [
        hmac.compare_digest(_mac8(kt, _TAC_HEAD + signed), claimed)
        for kt, (signed, claimed) in zip(kts, debits, strict=True)
    ]


def verify_tac(
    kt: bytes,
    tx: TransactionRecord,
    *,
    balance_after_minor: int,
    cumulative_debit_minor: int,
    claimed: bytes,
) -> bool:
    """Whether ``claimed`` is the TAC of this debit under KT."""
    expected = tac(
        kt,
        tx,
        balance_after_minor=balance_after_minor,
        cumulative_debit_minor=cumulative_debit_minor,
    )
    return hmac.compare_digest(expected, claimed)


def mac2(
    kp: bytes,
    tx: TransactionRecord,
    *,
    rc: bytes,
    balance_after_minor: int,
    cumulative_debit_minor: int,
    tac: bytes,
) -> bytes:
    """MAC2, purse to customs card, 8 bytes; the bank can stand in for the purse."""
    counters = _counters(balance_after_minor, cumulative_debit_minor)
    return _mac8(_session_key(kp, tx, rc), b"\x02" + tx.to_bytes() + counters + tac)


def ack(kp: bytes, tx: TransactionRecord) -> bytes:
    """ACK, customs card to purse: the payment is credited; 8 bytes."""
    return _mac8(kdf(kp, "ACK", _payment_context(tx)), tx.to_bytes())


def vreq(kp: bytes, tx: TransactionRecord) -> bytes:
    """VREQ, customs card to purse: burn this number if it is not used; 8 bytes."""
    return _mac8(kdf(kp, "VREQ", _payment_context(tx)), tx.to_bytes())


def vmac(kp: bytes, tx: TransactionRecord) -> bytes:
    """VMAC, purse to customs card: this debit can never happen; 8 bytes."""
    return _mac8(kdf(kp, "VOID", _payment_context(tx)), tx.to_bytes())


def verify_vmac(kp: bytes, tx: TransactionRecord, claimed: bytes) -> bool:
    """Whether ``claimed`` is the VMAC of this payment under KP."""
    return hmac.compare_digest(vmac(kp, tx), claimed)


def _session_key(kp: bytes, tx: TransactionRecord, rc: bytes) -> bytes:
    return kdf(kp, "SES", rc + _payment_context(tx))


def _payment_context(tx: TransactionRecord) -> bytes:
    return tx.cid + uint4(tx.otc) + tx.mid + uint4(tx.tsn)


def _counters(balance_after_minor: int, cumulative_debit_minor: int) -> bytes:
    return uint4(balance_after_minor) + cumulative_debit_minor.to_bytes(8, "big")


# The load, between purse and bank alone.


def load_m1(kl: bytes, request: LoadRequest) -> bytes:
    """M1, purse to bank: I am this purse, I hold this balance; 8 bytes."""
    key = _load_session_key(kl, request.rc, request.cid, request.ltc, request.lid)
    identity = request.cid + uint4(request.ltc) + request.lid
    amount = uint4(request.amount_minor) + currency_bytes(request.currency)
    return _mac8(key, b"\x11" + identity + amount + uint4(request.balance_minor))


def verify_load_m1(kl: bytes, request: LoadRequest) -> bool:
    """Whether the request's own M1 is right under KL."""
    return hmac.compare_digest(load_m1(kl, request), request.m1)


def load_m2(kl: bytes, *, lx: LoadRecord, rc: bytes) -> bytes:
    """M2, bank to purse: take this load; 8 bytes. It leaves only after booking."""
    key = _load_session_key(kl, rc, lx.cid, lx.ltc, lx.lid)
    return _mac8(key, b"\x12" + lx.to_bytes())


def ltac(kt: bytes, lx: LoadRecord, *, balance_after_minor: int) -> bytes:
    """LTAC, purse to bank: loaded; 8 bytes."""
    return _mac8(kt, b"\x14" + lx.to_bytes() + uint4(balance_after_minor))


def verify_ltac(
    kt: bytes, lx: LoadRecord, *, balance_after_minor: int, claimed: bytes
) -> bool:
    """Whether ``claimed`` is the LTAC of this load under KT."""
    expected = ltac(kt, lx, balance_after_minor=balance_after_minor)
    return hmac.compare_digest(expected, claimed)


def load_vreq(kl: bytes, *, cid: bytes, ltc: int, lid: bytes, lsn: int) -> bytes:
    """The load's VREQ, bank to purse: burn this number if it is not used; 8 bytes."""
    context, message = _load_context(cid, ltc, lid, lsn)
    return _mac8(kdf(kl, "VREQ", context), message)


def load_vmac(kl: bytes, *, cid: bytes, ltc: int, lid: bytes, lsn: int) -> bytes:
    """The load's VMAC, purse to bank: this load can never happen; 8 bytes."""
    context, message = _load_context(cid, ltc, lid, lsn)
    return _mac8(kdf(kl, "VOID", context), message)


def verify_load_vmac(
    kl: bytes, *, cid: bytes, ltc: int, lid: bytes, lsn: int, claimed: bytes
) -> bool:
    """Whether ``claimed`` is the VMAC of this load under KL."""
    expected = load_vmac(kl, cid=cid, ltc=ltc, lid=lid, lsn=lsn)
    return hmac.compare_digest(expected, claimed)


def _load_session_key(kl: bytes, rc: bytes, cid: bytes, ltc: int, lid: bytes) -> bytes:
    return kdf(kl, "LDS", rc + cid + uint4(ltc) + lid)


def _load_context(cid: bytes, ltc: int, lid: bytes, lsn: int) -> tuple[bytes, bytes]:
    message = uint4(ltc) + lid + uint4(lsn)
    return cid + message, message


# The batch, between customs card and bank.


def close_mac(kb: bytes, *, mid: bytes, close: BatchClose) -> bytes:
    """CLOSE MAC, customs card to bank, 16 bytes; ``close.mac`` does not enter."""
    counters = (
        _batch_head(mid, close)
        + uint4(close.open_count)
        + close.open_sum_minor.to_bytes(8, "big")
    )
    return cmac(kb, b"\x21" + counters + close.chain)


def verify_close_mac(kb: bytes, *, mid: bytes, close: BatchClose) -> bool:
    """Whether the close's own MAC is right under KB."""
    return hmac.compare_digest(close_mac(kb, mid=mid, close=close), close.mac)


def bank_ack_mac(kb: bytes, *, mid: bytes, close: BatchClose) -> bytes:
    """BANK ACK MAC, bank to customs card: the batch is collected; 16 bytes."""
    return cmac(kb, b"\x22" + _batch_head(mid, close) + close.chain)


def _batch_head(mid: bytes, close: BatchClose) -> bytes:
    counters = uint4(close.batch) + uint4(close.count)
    return mid + counters + close.sum_minor.to_bytes(8, "big")


# Maintenance and personalisation, between bank and either card.


def maintenance_mac(km: bytes, *, rc: bytes, card_id: bytes, message: bytes) -> bytes:
    """MAC of a maintenance command, 8 bytes.

    Args:
        km: KM of the purse, or the transport key of a card not yet personalised.
        rc: what GET CHALLENGE answered, 8 bytes.
        card_id: CID, or chip serial, 8 bytes.
        message: CLA INS P1 P2 and the data before the MAC.
    """
    return _mac8(kdf(km, "MNT", rc + card_id), message)


def maintenance_encryption_key(km: bytes, *, rc: bytes, card_id: bytes) -> bytes:
    """The key that a new PIN or new keys travel under, 16 bytes; see above."""
    return kdf(km, "ENC", rc + card_id)
