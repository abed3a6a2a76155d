"""How large the next group of payments is, on a line that holds only briefly.

Theory of operation. The bank keeps a group or it does not: of a group that is cut off,
nothing is held. So a line that is always cut before a whole group has gone up and been
answered never brings a batch through, however often it is dialled. Then less has to go
up at a time:

    as always       the largest groups, a window of them unanswered
       | a call is cut and has brought nothing new
       v
    one at a time   groups of half the size, down to the smallest; the next one goes up
       |            when the one before is answered, and is twice as large
       | a group of the largest size is answered
       v
    as always

A call that is cut but has brought something is followed by one that begins with the
size that was answered last: more than that has not been seen to pass. A smaller group
costs the same message around it and a wait for each answer, so it is no size to keep:
on a line that holds again, two or three groups later all is as always.

This says only how many payments are written together. What is sent, what the bank does
with it and how it is found again are the same for every size, so no size can lose a
payment or post one twice.
"""

from __future__ import annotations

from typing import Final

from settlement.group_layout import GROUP_PAYMENTS_MAX

__all__ = ["GROUP_PAYMENTS_SMALLEST", "UploadPace"]

GROUP_PAYMENTS_SMALLEST: Final = 8
"""Some 420 bytes, against 1,000 of the largest group and 320 of one with only 4."""


class UploadPace:
    """The size of groups, over all uploads and calls of one end of day."""

    def __init__(
        self,
        *,
        largest: int = GROUP_PAYMENTS_MAX,
        smallest: int = GROUP_PAYMENTS_SMALLEST,
    ) -> None:
        """Begin with the largest groups.

        Args:
            largest: payments in a group, 1 to `GROUP_PAYMENTS_MAX`.
            smallest: as many remain after fruitless calls; from ``largest`` on the
                size never changes.
        """
        assert 0 < largest <= GROUP_PAYMENTS_MAX, "a group has 1 to 32 payments"
        assert smallest > 0, "something must be sent"
        self._largest = largest
        self._smallest = min(smallest, largest)
        self._payments = largest
        self._answered_size: int | None = None
        self._one_at_a_time = False

    @property
    def payments(self) -> int:
        """Payments in the next group, at most."""
        return self._payments

    @property
    def one_at_a_time(self) -> bool:
        """Whether nothing more is sent until the bank has answered."""
        return self._one_at_a_time

    def group_acknowledged(self) -> None:
        """The bank has answered a group, and holds it durably."""
        self._answered_size = self._payments
        if self._payments == self._largest:
            self._one_at_a_time = False
        self._payments = min(2 * self._payments, self._largest)

    def call_cut(self, *, fruitless: bool) -> None:
        """The call is over before its time.

        Args:
            fruitless: the bank has confirmed nothing in it that was not known before.
        """
        if fruitless:
            self._payments = max(self._payments // 2, self._smallest)
            self._one_at_a_time = True
        elif self._answered_size is not None:
            self._payments = self._answered_size
        self._answered_size = None
