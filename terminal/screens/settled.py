"""What has been settled since the program was started, kept to be read again."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from terminal.orders import RecoveryVerdict

if TYPE_CHECKING:
    from terminal.orders import RecoveryOutcome

SETTLED_MAX: Final = 50
"""More interruptions than a counter has in a day; older ones stay in the journal."""
_ENDS: Final = frozenset({RecoveryVerdict.PAID, RecoveryVerdict.NOT_PAID})


class Settled:
    """The last news of each payment that has come to its end."""

    def __init__(self) -> None:
        self._outcomes: dict[int, RecoveryOutcome] = {}

    @property
    def newest_first(self) -> tuple[RecoveryOutcome, ...]:
        """All of them, the latest news on top."""
        return tuple(reversed(self._outcomes.values()))

    def keep(self, outcome: RecoveryOutcome) -> None:
        """Take in one piece of news; what is not known yet is not settled."""
        self._outcomes.pop(outcome.number, None)
        if outcome.verdict in _ENDS:
            self._outcomes[outcome.number] = outcome
        while len(self._outcomes) > SETTLED_MAX:
            del self._outcomes[next(iter(self._outcomes))]
