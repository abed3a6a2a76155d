"""What the journal's checks and its recovery tell people; see `terminal.wording`."""

from __future__ import annotations

from enum import StrEnum, unique
from typing import TYPE_CHECKING, assert_never

from terminal.audit import ProblemCode
from terminal.catalogue import tr, trn
from terminal.errors import Advice

if TYPE_CHECKING:
    from settlement.money import Money
    from terminal.audit import AuditProblem

__all__ = [
    "HeadFit",
    "audit_next_step",
    "file_missing",
    "folder_unusable",
    "head_words",
    "heads_file_wrong",
    "journal_damaged",
    "journal_in_use",
    "journal_of_other_version",
    "journal_unusable",
    "kept_aside",
    "key_foreign",
    "key_lost",
    "log_left_over",
    "log_whole",
    "no_journal",
    "not_compared_next_step",
    "problem_words",
    "reading_card",
    "rebuild_question",
    "recovered_advice",
    "recovered_elsewhere",
    "recovered_unvouched",
    "salvaging",
    "structure_broken",
    "tables_foreign",
    "writing_payments",
]


def journal_damaged(path: str, found: str) -> str:
    """The journal is not as it was left."""
    return tr(
        "The journal '{path}' is damaged: {found}. No money is lost: the customs card "
        "still holds every payment that the bank has not acknowledged, and every open "
        "record. Nothing was changed. Put the customs card into its reader and run "
        "raseed-terminal recover: it makes a new journal from the card and keeps the "
        "damaged one for the auditor.",
        path=path,
        found=found.rstrip("."),
    )


def no_journal(folder: str) -> str:
    """There is nothing to look at where a journal is looked for."""
    return tr(
        "There is no journal in '{folder}': no payment was ever taken with it. Nothing "
        "was changed, and no money moved. Check the folder's name; a new counter makes "
        "its journal when it is first run.",
        folder=folder,
    )


def journal_of_other_version(path: str, version: int, known: int) -> str:
    """Another version of this program wrote the journal."""
    return tr(
        "The journal '{path}' has version {version}; this program knows version "
        "{known}. Nothing was changed, and no money moved. Use the program that wrote "
        "it; or, when its batches are to go up from here, put the customs card into "
        "its reader and run raseed-terminal recover: it makes a new journal from the "
        "card and keeps the old one.",
        path=path,
        version=version,
        known=known,
    )


def journal_unusable(path: str, reason: str) -> str:
    """The journal cannot be used for a reason that lies outside it."""
    return tr(
        "The journal '{path}' cannot be used: {reason}. No further step was taken. "
        "Check the disk (full, read-only, damaged), then start the program again: it "
        "finds out by itself what became of the last payment.",
        path=path,
        reason=reason,
    )


def key_foreign() -> str:
    """What is wrong with a journal whose key file is another's; a clause."""
    return tr("its key file is another journal's")


def key_lost(*, missing: bool) -> str:
    """What is wrong with a journal whose key cannot be read; a clause."""
    return tr("its key file is missing") if missing else tr("its key file is damaged")


def file_missing() -> str:
    """What is wrong with a journal whose other files are there; a clause."""
    return tr("the file itself is missing")


def log_left_over() -> str:
    """Why a new journal cannot be put in the place of the old one yet; a clause."""
    return tr("its last entries could not be taken over from the log beside it")


def folder_unusable(folder: str, reason: str) -> str:
    """The folder of the journal cannot be written."""
    return tr(
        "The journal's folder '{folder}' cannot be used: {reason}. Nothing was "
        "changed, and no money moved. Make the disk writable or free some space, then "
        "start the program again.",
        folder=folder,
        reason=reason.rstrip("."),
    )


def journal_in_use(folder: str) -> str:
    """Another program holds the lock."""
    return tr(
        "Another program uses the journal in '{folder}'. Nothing was changed, and no "
        "money moved. Close that program first.",
        folder=folder,
    )


def structure_broken(reason: str) -> str:
    """What SQLite says of a file that it cannot follow; a clause."""
    return tr("SQLite says of it: {reason}", reason=reason)


def tables_foreign() -> str:
    """What is wrong with a file whose tables were changed; a clause."""
    return tr("its tables are not those of a journal")


def salvaging(count: int) -> str:
    """An old journal was read."""
    return tr("reading an old journal: {count} payments", count=count)


def reading_card(count: int) -> str:
    """The customs card's credits are being read."""
    return tr("reading the customs card: {count} payments in its batch", count=count)


def writing_payments(count: int) -> str:
    """What was read is being kept."""
    return tr("writing {count} payments", count=count)


def kept_aside(folder: str) -> str:
    """Where the journal is that was replaced."""
    return tr("The old journal is kept in {folder}.", folder=folder)


def rebuild_question() -> str:
    """Whether a damaged journal is to be rebuilt at once."""
    return tr("Make a new journal from the customs card now?")


def recovered_advice(
    *, credited: int, total: Money, open_count: int, waiting: int, salvaged: int
) -> Advice:
    """What was rebuilt from the customs card.

    Args:
        credited: payments that the card holds and the bank has not acknowledged.
        total: what they are worth.
        open_count: open records: payments whose end is not known yet.
        waiting: closed batches that the bank has not acknowledged.
        salvaged: of all these payments those whose declaration is known.
    """
    parts = [
        trn(
            "The journal holds {count} payment of {total} that the customs card has "
            "credited,",
            "The journal holds {count} payments of {total} that the customs card has "
            "credited,",
            count=credited,
            total=str(total),
        ),
        trn("{count} open record,", "{count} open records,", count=open_count),
        trn(
            "{count} closed batch that waits for the bank;",
            "{count} closed batches that wait for the bank;",
            count=waiting,
        ),
        trn(
            "the declaration of {count} payment is known.",
            "the declarations of {count} payments are known.",
            count=salvaged,
        ),
    ]
    return Advice(
        happened=" ".join(parts),
        money=tr("Nothing was taken from any card, and no payment is lost."),
        next_step=_after_recovery(open_count),
    )


def _after_recovery(open_count: int) -> str:
    if open_count == 0:
        return tr(
            "Start the counter: it names each payment that the card credited. Take "
            "none of them again. Then run the end of day."
        )
    return trn(
        "Put the card of the open record back into the customer's reader when its "
        "owner comes; then, or without it, run the end of day.",
        "Put the cards of the open records back into the customer's reader when their "
        "owners come; then, or without them, run the end of day.",
        count=open_count,
    )


def recovered_unvouched(count: int) -> str:
    """Some declarations come from rows whose entries were lost."""
    return trn(
        "For {count} payment the old log is damaged where it would vouch for the "
        "details; the declaration itself is the one that the cards signed.",
        "For {count} payments the old log is damaged where it would vouch for the "
        "details; the declarations themselves are those that the cards signed.",
        count=count,
    )


def recovered_elsewhere(count: int, folder: str) -> str:
    """Some payments of the old journal are on another customs card."""
    return trn(
        "{count} payment that had not ended is not on this customs card. Put the other "
        "one into its reader and run raseed-terminal recover --from {folder}",
        "{count} payments that had not ended are not on this customs card. Put the "
        "other one into its reader and run raseed-terminal recover --from {folder}",
        count=count,
        folder=folder,
    )


@unique
class HeadFit(StrEnum):
    """How a head that the bank has kept stands to the logs of this counter."""

    FITS = "fits"
    """The log of its journal once stood there."""
    DIFFERS = "differs"
    """It did not: it was cut off, or is not the one that it was."""
    REPLACED = "replaced"
    """Of a journal that was replaced and whose log cannot be read: not compared."""
    OTHER_JOURNAL = "other-journal"
    """Of a journal of which no log here speaks: not compared."""


def head_words(batch: str, entries: int, fit: HeadFit, folder: str) -> str:
    """How a head that the bank has kept stands to the logs here.

    Args:
        batch: the batch that it came with.
        entries: how many entries there were then.
        fit: what comparing it gave.
        folder: of the log that it was compared with; empty for the one in question.
    """
    where = tr("Head of batch {batch}, entry {entries}", batch=batch, entries=entries)
    match fit:
        case HeadFit.FITS if folder:
            return tr("{where}: fits the log in {folder}.", where=where, folder=folder)
        case HeadFit.FITS:
            return tr("{where}: fits.", where=where)
        case HeadFit.DIFFERS if folder:
            return tr(
                "{where}: does not fit: the log in {folder} was cut off or written "
                "anew.",
                where=where,
                folder=folder,
            )
        case HeadFit.DIFFERS:
            return tr(
                "{where}: does not fit: the log was cut off or written anew.",
                where=where,
            )
        case HeadFit.REPLACED:
            return tr(
                "{where}: not compared: of a journal that was replaced, and its log is "
                "not beside this one or cannot be read.",
                where=where,
            )
        case HeadFit.OTHER_JOURNAL:
            return tr(
                "{where}: not compared: of another journal, of which no log here says "
                "that it was replaced.",
                where=where,
            )
        case _:
            assert_never(fit)


def heads_file_wrong(path: str, reason: str) -> str:
    """A file of the bank's heads cannot be used."""
    return tr(
        "'{path}' is not what raseed-bank audit --json prints: {reason}. Nothing was "
        "checked. Ask the bank for the file again.",
        path=path,
        reason=reason,
    )


def log_whole(entries: int) -> str:
    """Every entry and every row fits."""
    return trn(
        "{count} entry, whole: nothing was changed, left out or put in.",
        "{count} entries, whole: nothing was changed, left out or put in.",
        count=entries,
    )


def audit_next_step() -> str:
    """What to do when an audit log is not whole."""
    return tr(
        "No money moved by this check. Do not change the journal's folder: copy it, "
        "and call the supervisor and the bank. Payments can go on with a new journal: "
        "raseed-terminal recover makes it from the customs card and keeps this one."
    )


def not_compared_next_step() -> str:
    """What to do when the only thing wrong is that heads were not compared."""
    return tr(
        "No money moved by this check. Nothing is said of the heads that were not "
        "compared: name the folder where their journal was kept with --journal, and "
        "call the supervisor when it is nowhere to be found."
    )


def problem_words(problem: AuditProblem) -> str:
    """What does not fit, and where."""
    where = tr(
        "Entry {entry} of {at} ({kind}{subject})",
        entry=problem.entry or 0,
        at=problem.at,
        kind=problem.kind,
        subject=_subject(problem),
    )
    match problem.code:
        case ProblemCode.BEGINNING:
            return tr("{where} does not name the journal.", where=where)
        case ProblemCode.GAP:
            return tr("{where} is not the next one: entries are missing.", where=where)
        case ProblemCode.LINK:
            return tr(
                "{where} does not follow from the one before: it was changed, moved "
                "or put in.",
                where=where,
            )
        case ProblemCode.ALTERED:
            return tr(
                "{where} left its row otherwise than it stands now: the row was "
                "altered.",
                where=where,
            )
        case ProblemCode.MISSING:
            return tr("{where} speaks of a row that is missing.", where=where)
        case _:
            return _problem_without_entry(problem)


def _problem_without_entry(problem: AuditProblem) -> str:
    match problem.code:
        case ProblemCode.UNTOLD:
            return tr(
                "A row stands in the journal{subject}, and no entry speaks of it.",
                subject=_subject(problem),
            )
        case ProblemCode.CUT:
            return tr(
                "Entry {entry} and those after it are missing: the log once went "
                "further.",
                entry=problem.entry or 0,
            )
        case _:
            return tr(
                "Entry {entry} is not the one that stood there when the journal was "
                "last used: it was put in the place of another.",
                entry=problem.entry or 0,
            )


def _subject(problem: AuditProblem) -> str:
    if problem.subject.payment is not None:
        return tr(", payment {number}", number=problem.subject.payment)
    if problem.subject.batch is not None:
        return tr(", batch {number}", number=problem.subject.batch)
    return ""
