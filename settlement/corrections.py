"""Corrections: one officer proposes, another one approves, then it is booked.

Nothing that is booked is ever changed. An entry that was wrong is put right by a
further one, which names it, says why, and moves its money from where it lies to where
it belongs: never more than lies there of that money (`settlement.postings` says what an
origin is). Purse floats and suspense have rules of their own and are not touched.

Who acts has proved who he is (`settlement.officers`); which roles may propose and which
may approve is the same for all that takes two (`settlement.dual_control`).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from settlement import dual_control
from settlement.dual_control import ActionKind
from settlement.errors import CorrectionError
from settlement.ledger import Account, AccountKind, EntryKind
from settlement.loads import known_load
from settlement.money import Money, currency_by_number
from settlement.postings import CORRECTABLE, ENTRY_SIDES, correction_entry
from settlement.store.collisions import repeated
from settlement.store.corrections import CorrectionDecision, CorrectionRow

if TYPE_CHECKING:
    from collections.abc import Callable
    from datetime import datetime

    from settlement.store.books import BankStore, Books
    from settlement.store.history import EntryRow
    from settlement.store.officers import OfficerRow

__all__ = ["Corrections", "Wish"]

_NOTHING_MOVED: Final = "No money moved."
_REASON_MAX: Final = 200
_DEBITED, _CREDITED = ENTRY_SIDES[EntryKind.CORRECTION]


@dataclass(frozen=True, slots=True, kw_only=True)
class Wish:
    """What one officer proposes.

    Attributes:
        entry_id: the entry that was wrong.
        reason: why, in words.
        debited: where the money lies wrongly; None for where that entry put it.
        credited: where it belongs; None for where it came from (of a payment, the
            current account of the card's holder).
        amount_minor: in minor units; None for all that lies there.
    """

    entry_id: int
    reason: str
    debited: Account | None = None
    credited: Account | None = None
    amount_minor: int | None = None


class Corrections:
    """Corrections of the ledger. Threads may share it."""

    def __init__(self, store: BankStore, clock: Callable[[], datetime]) -> None:
        """Work on ``store`` by the time of ``clock``, which is aware."""
        self._store = store
        self._clock = clock

    def corrections(self) -> list[CorrectionRow]:
        """All corrections that were ever proposed."""
        with self._store.read() as books:
            return books.corrections.corrections()

    @repeated
    def propose(self, wish: Wish, *, by: OfficerRow) -> CorrectionRow:
        """Note what should be booked; nothing is booked yet.

        Raises:
            CorrectionError: there is no such entry, it cannot be put right so, or this
                officer may not ask for it.
            DualControlError: the officer was disabled meanwhile; the same for what
                follows.
        """
        if not dual_control.may_propose(ActionKind.CORRECTION, by.role):
            raise _not_permitted(by, "propose")
        reason = wish.reason.strip()
        if not 0 < len(reason) <= _REASON_MAX or not reason.isprintable():
            raise CorrectionError(
                f"a correction has a reason of 1 to {_REASON_MAX} printable "
                f"characters. {_NOTHING_MOVED}"
            )
        now = self._clock()
        with self._store.write() as books:
            books.holds.staff()
            dual_control.refuse_disabled(books, by)
            entry = _entry(books, wish.entry_id)
            origin_id = books.origins.origin_of(entry.id)
            assert origin_id is not None, "the entry is there"
            debited = wish.debited or entry.credited
            credited = wish.credited or _came_from(books, entry)
            there_minor = books.origins.lies_on(origin_id).get(debited, 0)
            row = CorrectionRow(
                number=books.corrections.next_number(),
                entry_id=entry.id,
                origin_id=origin_id,
                debited=debited,
                credited=credited,
                amount_minor=there_minor
                if wish.amount_minor is None
                else wish.amount_minor,
                reason=reason,
                proposed_by=by.name,
                at=now,
            )
            _check(books, row, entry.currency)
            accounts = (_open(books, debited), _open(books, credited))
            books.corrections.propose(row, accounts)
        return row

    @repeated
    def approve(self, number: int, *, by: OfficerRow) -> CorrectionRow:
        """Book what another officer proposed; approving it again is nothing.

        Raises:
            CorrectionError: there is no such proposal, it was rejected, this officer
                proposed it or may not approve it, or the money has gone elsewhere
                meanwhile.
        """
        if not dual_control.may_approve(ActionKind.CORRECTION, by.role):
            raise _not_permitted(by, "approve")
        now = self._clock()
        with self._store.write() as books:
            books.holds.staff()
            dual_control.refuse_disabled(books, by)
            row = _proposal(books, number)
            # A load of another host would spend what is counted on here.
            books.holds.accounts([row.debited])
            if row.decision is CorrectionDecision.APPROVED:
                return row
            _refuse_decided(row)
            if by.name == row.proposed_by:
                raise CorrectionError(
                    f"{by.name} proposed correction {number} and cannot approve it. "
                    f"{_NOTHING_MOVED} Another officer has to"
                )
            _check(books, row, row.debited.currency)
            books.corrections.decide(
                number, CorrectionDecision.APPROVED, by=by.name, because="", at=now
            )
            books.ledger.post(
                correction_entry(
                    number=row.number,
                    debited=row.debited,
                    credited=row.credited,
                    amount_minor=row.amount_minor,
                    entry_id=row.entry_id,
                    booked_at=now,
                )
            )
            return _proposal(books, number)

    @repeated
    def reject(self, number: int, *, by: OfficerRow, reason: str) -> CorrectionRow:
        """Note that a proposal will never be booked; who proposed it may do so too.

        Raises:
            CorrectionError: there is no such proposal, it was booked, or this officer
                may not reject it.
        """
        if not dual_control.may_reject(ActionKind.CORRECTION, by.role):
            raise _not_permitted(by, "reject")
        now = self._clock()
        with self._store.write() as books:
            books.holds.staff()
            dual_control.refuse_disabled(books, by)
            row = _proposal(books, number)
            if row.decision is CorrectionDecision.REJECTED:
                return row
            _refuse_decided(row)
            books.corrections.decide(
                number,
                CorrectionDecision.REJECTED,
                by=by.name,
                because=reason.strip(),
                at=now,
            )
            return _proposal(books, number)


def _not_permitted(officer: OfficerRow, what: str) -> CorrectionError:
    return CorrectionError(
        f"{officer.name} is an officer of {officer.role} and may not {what} a "
        f"correction. {_NOTHING_MOVED}"
    )


def _entry(books: Books, entry_id: int) -> EntryRow:
    found = books.history.entry(entry_id)
    if found is None:
        raise CorrectionError(f"there is no entry {entry_id}. {_NOTHING_MOVED}")
    if found.kind not in CORRECTABLE:
        raise CorrectionError(
            f"entry {entry_id} is a {found.kind}, which the card itself settles and "
            f"nobody corrects. {_NOTHING_MOVED}"
        )
    return found


def _came_from(books: Books, entry: EntryRow) -> Account:
    """Where an entry's money came from; from a card, the account of its holder."""
    if entry.debited.kind is not AccountKind.PURSE_FLOAT or entry.cid is None:
        return entry.debited
    purse = books.cards.purse(entry.cid)
    assert purse is not None, "it has a float"
    return purse.account


def _check(books: Books, row: CorrectionRow, currency: int) -> None:
    """Every rule but that of the two officers; asked again when it is approved."""
    if row.debited.kind not in _DEBITED or row.credited.kind not in _CREDITED:
        raise CorrectionError(
            f"a correction does not move money from a {row.debited.kind} account to a "
            f"{row.credited.kind} account. {_NOTHING_MOVED} Name others with --from "
            "and --to; a card's float is settled by the card, suspense by its own "
            "commands"
        )
    if row.debited == row.credited:
        raise CorrectionError(
            f"the money lies where it would be moved to. {_NOTHING_MOVED} Say with "
            "--to where it belongs"
        )
    if not row.debited.currency == row.credited.currency == currency:
        raise CorrectionError(
            f"entry {row.entry_id} is in {currency_by_number(currency)}, and a "
            f"correction stays in its currency. {_NOTHING_MOVED}"
        )
    _open(books, row.debited)
    _open(books, row.credited)
    there_minor = books.origins.lies_on(row.origin_id).get(row.debited, 0)
    if row.debited.kind is AccountKind.CUSTOMER:
        there_minor = min(there_minor, books.ledger.balance_minor(row.debited))
    if not 0 < row.amount_minor <= there_minor:
        lies = Money(
            amount_minor=max(there_minor, 0), currency=currency_by_number(currency)
        )
        raise CorrectionError(
            f"of the money of entry {row.entry_id}, {lies} can be taken from the "
            f"{row.debited.kind} account. {_NOTHING_MOVED} raseed-bank account history "
            "shows where it went"
        )
    _refuse_pending_fee(books, row.origin_id)


def _refuse_pending_fee(books: Books, origin_id: int) -> None:
    """The fee of a load that may be voided yet goes back by itself then."""
    origin = books.history.entry(origin_id)
    if origin is None or origin.kind is not EntryKind.FEE:
        return
    fee = books.fees.numbered(origin.number)
    if fee is None or not fee.event:
        return
    load = known_load(books, bytes.fromhex(fee.subject), fee.event)
    if load.outcome is None:
        raise CorrectionError(
            "the load of this fee is not settled yet; if the card gives it up, the fee "
            f"goes back by itself. {_NOTHING_MOVED} Settle it first: raseed-card "
            "recover"
        )


def _open(books: Books, account: Account) -> int:
    account_id = books.ledger.account_id(account)
    if account_id is None:
        raise CorrectionError(
            f"there is no {account.kind} account of {account.owner} in "
            f"{currency_by_number(account.currency)}. {_NOTHING_MOVED}"
        )
    return account_id


def _proposal(books: Books, number: int) -> CorrectionRow:
    row = books.corrections.correction(number)
    if row is None:
        raise CorrectionError(f"there is no correction {number}. {_NOTHING_MOVED}")
    return row


def _refuse_decided(row: CorrectionRow) -> None:
    if row.decision is not None:
        raise CorrectionError(
            f"correction {row.number} was {row.decision} already by {row.decided_by}. "
            f"{_NOTHING_MOVED}"
        )
