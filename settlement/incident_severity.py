"""How urgent an incident is: one table over all codes, and nowhere else.

The code of an incident is stored, its severity is not: it follows from here, so that
the bank may come to see a thing otherwise and all of them are seen so.
"""

from __future__ import annotations

from enum import IntEnum, unique
from typing import Final

from settlement.clearing import IncidentCode

__all__ = ["SEVERITIES", "Severity", "severity_of"]


@unique
class Severity(IntEnum):
    """From what can wait to what cannot.

    INFO is to be known; MINOR is a slip or a clock; MAJOR is money that waits or a
    thing that does not fit; CRITICAL looks like fraud or like broken cards or keys.
    """

    INFO = 1
    MINOR = 2
    MAJOR = 3
    CRITICAL = 4

    def __str__(self) -> str:
        return self.name.lower()


SEVERITIES: Final = {
    IncidentCode.TAC_WRONG: Severity.CRITICAL,
    IncidentCode.CONFLICT: Severity.CRITICAL,
    IncidentCode.OPEN_CONTRADICTED: Severity.CRITICAL,
    IncidentCode.OPEN_RECORD: Severity.CRITICAL,
    IncidentCode.BATCH_CONFLICT: Severity.CRITICAL,
    IncidentCode.AUDIT_REWRITTEN: Severity.CRITICAL,
    IncidentCode.BALANCE_IMPOSSIBLE: Severity.CRITICAL,
    IncidentCode.COUNTERS: Severity.CRITICAL,
    IncidentCode.MESSAGE_MAC: Severity.CRITICAL,
    IncidentCode.HOTLISTED: Severity.CRITICAL,
    IncidentCode.NO_KEY: Severity.MAJOR,
    IncidentCode.UNKNOWN_CARD: Severity.MAJOR,
    IncidentCode.WRONG_CURRENCY: Severity.MAJOR,
    IncidentCode.WRONG_MERCHANT: Severity.MAJOR,
    IncidentCode.DETAILS_UNKNOWN: Severity.MAJOR,
    IncidentCode.DECLARATION_UNPROVED: Severity.MAJOR,
    IncidentCode.BATCH_DIFFERS: Severity.MAJOR,
    IncidentCode.BATCH_TOO_LONG: Severity.MAJOR,
    IncidentCode.AUDIT_WENT_BACK: Severity.MAJOR,
    IncidentCode.OUTCOME_OPEN: Severity.MAJOR,
    IncidentCode.OVER_LIMIT: Severity.MAJOR,
    IncidentCode.OVER_BALANCE_LIMIT: Severity.MAJOR,
    IncidentCode.KEY_VERSION: Severity.MAJOR,
    IncidentCode.TERMINAL_REFUSED: Severity.MAJOR,
    IncidentCode.MESSAGE_MALFORMED: Severity.MAJOR,
    IncidentCode.REPLAYED: Severity.MAJOR,
    IncidentCode.REQUEST_AMOUNT: Severity.MAJOR,
    IncidentCode.REQUEST_DIFFERS: Severity.MAJOR,
    IncidentCode.REQUEST_PAID_TWICE: Severity.MAJOR,
    IncidentCode.REQUEST_NOT_OPEN: Severity.MAJOR,
    IncidentCode.REQUEST_UNKNOWN: Severity.MAJOR,
    IncidentCode.REQUEST_DECLINE: Severity.MAJOR,
    IncidentCode.VALIDITY: Severity.MINOR,
    IncidentCode.CLOCK: Severity.MINOR,
    IncidentCode.LINES_DIFFER: Severity.MINOR,
    IncidentCode.BATCH_INCOMPLETE: Severity.MINOR,
    IncidentCode.JOURNAL_REPLACED: Severity.INFO,
}
"""Every code has its line; a test counts them."""

_BY_VALUE: Final = {code.value: severity for code, severity in SEVERITIES.items()}


def severity_of(code: str) -> Severity:
    """How urgent an incident of this code is; an unknown code is MAJOR."""
    return _BY_VALUE.get(str(code), Severity.MAJOR)
