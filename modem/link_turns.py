"""Whose turn it is: what a link says next, of all that it has to say.

From the most urgent to the least: WELCOME and HELLO, without which nothing else is
understood; DISC ACK; an ACK that the other side waits for; data; and when there is
none, DISC, an ACK that could wait, and PING. An ACK before data delays it by nine
bytes; data before an ACK would delay the repeat of what was lost by a whole frame.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from modem.link_closing import Closing
    from modem.link_life import SignsOfLife
    from modem.link_opening import Opening
    from modem.link_outgoing import Outgoing
    from modem.link_receive import Receiver

__all__ = ["Turns"]


class Turns:
    """The parts of a link that have something to say.

    Attributes:
        ping_due: whether the other side is to be asked for a sign of life.
        data_allowed: whether the link is in a state in which data is sent.
    """

    def __init__(
        self,
        *,
        opening: Opening,
        closing: Closing,
        outgoing: Outgoing,
        receiver: Receiver,
        life: SignsOfLife,
    ) -> None:
        """Take the parts; their owner is the link."""
        self._opening = opening
        self._closing = closing
        self._outgoing = outgoing
        self._receiver = receiver
        self._life = life
        self._other_frame_bytes = 0
        self.ping_due = False
        self.data_allowed = False

    @property
    def any_due(self) -> bool:
        """Whether `hand_out` would hand out anything."""
        return (
            self._opening.hello_due
            or self._opening.welcome_due
            or self._closing.confirm_due
            or self._closing.disconnect_due
            or self._receiver.ack_due
            or self.ping_due
            or self._can_send_data()
        )

    @property
    def timeout_ms(self) -> int:
        """Patience for an answer, from when its frame is out."""
        return self._outgoing.timeout_ms(self._other_frame_bytes)

    def hand_out(self, now_ms: int) -> bool:
        """Hand out the most urgent frame; False when there is none."""
        self._other_frame_bytes = self._receiver.other_frame_bytes(now_ms)
        if self._opening.welcome_due or self._opening.hello_due:
            hello = self._opening.next_hello()
            self._opening.handed_out(hello, self._outgoing.hand_out(hello, now_ms))
        elif self._closing.confirm_due:
            self._hand_out_end(now_ms)
        elif self._receiver.ack_first:
            self._outgoing.hand_out(self._receiver.next_ack(), now_ms)
        elif self._can_send_data():
            self._outgoing.hand_out_data(now_ms)
            self._receiver.held_back()
            self._check_tail()
        else:
            return self._hand_out_idle(now_ms)
        return True

    def fall_silent(self) -> None:
        """The link is over: only what the other side waits for is still due."""
        self._opening.hello_due = self._closing.disconnect_due = False
        self.ping_due = self.data_allowed = False

    def _hand_out_idle(self, now_ms: int) -> bool:
        """What can wait until there is no data to send."""
        if self._closing.disconnect_due:
            self._hand_out_end(now_ms)
        elif self._receiver.ack_due:
            self._outgoing.hand_out(self._receiver.next_ack(), now_ms)
        elif self.data_allowed and self._outgoing.double_tail(now_ms):
            pass
        elif self.ping_due:
            self.ping_due = False
            ping = self._life.next_ping()
            self._life.handed_out(self._outgoing.hand_out(ping, now_ms))
        else:
            return False
        return True

    def _hand_out_end(self, now_ms: int) -> None:
        end = self._closing.next_frame(self._receiver.next_offset)
        out = self._outgoing.hand_out(end, now_ms)
        self._closing.handed_out(end, out, self.timeout_ms)

    def _can_send_data(self) -> bool:
        return self.data_allowed and self._outgoing.can_send_data(
            self._other_frame_bytes
        )

    def _check_tail(self) -> None:
        """Where the last frame is likely lost, ask at once what became of it."""
        tail = self._outgoing.tail_in_doubt()
        self.ping_due |= tail is not None and not self._life.asked_after(tail)
