"""What the bank can tell from the heads that a terminal's audit log had: pure rules.

Entries are only ever added to a log, and each link covers all before it. So within one
journal the number of entries never goes down, and one number of entries has one link.
A journal that was made anew, after a lost or replaced computer, has another name.

The bank takes the batch whatever it finds here: value first. What it finds is for a
person to look at.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from settlement.clearing import IncidentCode, IncidentNote

if TYPE_CHECKING:
    from collections.abc import Sequence

    from settlement.audit_head import AuditHead

__all__ = ["judge_head"]


def judge_head(head: AuditHead, kept: Sequence[AuditHead]) -> list[IncidentNote]:
    """What is odd about a head, given those that the terminal sent before.

    Args:
        head: the one that has just come.
        kept: all of the same terminal, in the order in which they came.
    """
    notes = []
    name = head.journal.hex().upper()
    if kept and kept[-1].journal != head.journal:
        text = (
            f"for information: the terminal keeps journal {name} now, before it was "
            f"{kept[-1].journal.hex().upper()}"
        )
        notes.append(IncidentNote(code=IncidentCode.JOURNAL_REPLACED, text=text))
    of_journal = [other for other in kept if other.journal == head.journal]
    most = max((other.entries for other in of_journal), default=0)
    if head.entries < most:
        text = (
            f"the audit log of journal {name} has {head.entries} entries now, and had "
            f"{most} before: an old copy was put back, or entries were taken away"
        )
        notes.append(IncidentNote(code=IncidentCode.AUDIT_WENT_BACK, text=text))
    links = {other.digest for other in of_journal if other.entries == head.entries}
    if links - {head.digest}:
        text = (
            f"entry {head.entries} of the audit log of journal {name}, or one before "
            "it, is not the one it was"
        )
        notes.append(IncidentNote(code=IncidentCode.AUDIT_REWRITTEN, text=text))
    return notes
