"""How two ends of a link find each other: HELLO, WELCOME, and the mark of the call.

Both sides say HELLO with a nonce of their own until they are WELCOMEd, or until a frame
with the mark of this call shows that the other side was. The mark comes from both
nonces and the direction. So frames of an earlier call, and this side's own frames that
a modem echoes, look damaged and do no harm.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from modem.link_frames import Hello, call_mark

if TYPE_CHECKING:
    from modem.link_pace import HandedOut

__all__ = ["Opening"]


class Opening:
    """This side's nonce, the other side's, and what is to be said of them."""

    def __init__(self, nonce: int, *, hello_ms: int) -> None:
        """Begin with a HELLO to say, and one more every ``hello_ms``."""
        self._nonce = nonce
        self._hello_ms = hello_ms
        self._peer_nonce: int | None = None
        self._hellos: list[HandedOut] = []
        self.hello_due = True
        self.welcome_due = False
        self.repeat_ms = 0

    @property
    def mark_out(self) -> int:
        """Mark of frames that this side sends; the other side must be known."""
        assert self._peer_nonce is not None
        return call_mark(sender=self._nonce, receiver=self._peer_nonce)

    @property
    def mark_in(self) -> int:
        """Mark of frames that the other side sends; it must be known."""
        assert self._peer_nonce is not None
        return call_mark(sender=self._peer_nonce, receiver=self._nonce)

    def concerns_this_call(self, hello: Hello) -> bool:
        """Whether it is neither an echo nor a WELCOME to an earlier call."""
        return hello.nonce != self._nonce and hello.heard in (None, self._nonce)

    def starts_over(self, hello: Hello) -> bool:
        """Whether the other side has another nonce than before."""
        return self._peer_nonce not in (None, hello.nonce)

    def meet(self, hello: Hello) -> None:
        """Note who the other side is."""
        self._peer_nonce = hello.nonce
        self.welcome_due |= hello.heard is None

    def next_hello(self) -> Hello:
        """The WELCOME or HELLO that is due."""
        if self.welcome_due:
            self.welcome_due = False
            return Hello(nonce=self._nonce, heard=self._peer_nonce)
        self.hello_due = False
        return Hello(nonce=self._nonce)

    def handed_out(self, hello: Hello, frame: HandedOut) -> None:
        """A frame of `next_hello` went to the line."""
        if hello.heard is None:
            # Two are enough to know that a WELCOME may answer either.
            self._hellos = [*self._hellos[:1], frame]
            self.repeat_ms = frame.handed_ms + self._hello_ms

    @property
    def first_hello(self) -> HandedOut | None:
        """The first HELLO, than which a WELCOME answers no earlier one."""
        return self._hellos[0] if self._hellos else None

    @property
    def only_hello(self) -> HandedOut | None:
        """The HELLO that a WELCOME answers, if only one was said."""
        return self._hellos[0] if len(self._hellos) == 1 else None
