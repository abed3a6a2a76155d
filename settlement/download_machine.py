"""The terminal's side of downloads, as a machine without line, clock or files.

Theory of operation. One machine serves one call. Given the session of an upload it
starts with the first kind; without one it logs on first, so that a call may be made for
downloads alone. It then goes through the kinds of which the bank holds another content
than the terminal, one after the other:

    LOGON    0800 -> 0810    session key, versions and digests of what the bank holds
    ASKING   0300 -> 0310    the first chunk and what it is of; or: unchanged
    FETCHING 0300 ...        the other chunks, up to ``window`` unanswered at a time
    DONE     nothing more is sent

A kind of which part was kept from an earlier call starts with FETCHING, at the chunk
where it stood. If the bank can no longer give that payload its answer begins another
one, and the kind starts anew. When the last chunk is there the content is made and its
digest compared with what the bank said: only then is it `Downloaded`. If that fails,
the kind is asked for once more as if nothing were held, unless all of it came in this
call and depended on nothing held: the same would come again. If that fails, too, it is
`DownloadFailed` and what is held stays in use; a terminal that remembers which content
that was (`Stock.failed`) does not ask for it in a later call. A content that is older
than what the bank had at the logon (it was begun earlier) is followed by the rest of
the way.

What was sent and not answered is kept byte for byte and can be repeated, as in
`settlement.upload`. Nothing here moves money, and a call that breaks off at any point
leaves what is held as it was.
"""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass, field
from enum import Enum, unique
from typing import TYPE_CHECKING, Final

from settlement import answers, iso8583
from settlement.download import (
    CHUNK_BYTES,
    PAYLOAD_DIGEST_BYTES,
    DownloadForm,
    DownloadQuery,
    Held,
)
from settlement.download_codec import apply_payload, nothing_held
from settlement.download_events import (
    ChunkReceived,
    DownloadBegun,
    Downloaded,
    DownloadEvent,
    DownloadFailed,
)
from settlement.download_messages import parse_chunk, query_message
from settlement.errors import (
    DownloadError,
)
from settlement.message_codec import (
    MessageKey,
    logon_message,
)
from settlement.messages import ResponseCode, TerminalVersions
from settlement.terminal_call import (
    Request,
    Session,
)
from settlement.terminal_machine import TerminalMachine

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import datetime

    from settlement.download import DownloadKind, Entries, OfferHead
    from settlement.download_messages import Chunk

__all__ = [
    "DownloadMachine",
    "DownloadPhase",
    "Partial",
    "Stock",
]

WINDOW_DEFAULT: Final = 4
"""Unanswered questions at a time: their answers are some 4 s of a 9600 bit/s line."""
ROUNDS_MAX: Final = 3
"""Payloads of one kind in one call: one begun earlier, the rest of the way, and once
more from nothing when one of them cannot be used."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Partial:
    """What an earlier call has brought of a payload.

    Attributes:
        base: what was held then.
        head: of the payload.
        data: its first chunks, whole ones.
    """

    base: Held
    head: OfferHead
    data: bytes = field(repr=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class Stock:
    """What a terminal holds of one kind.

    Attributes:
        failed: a content that could not be used when it came, and is not wanted in
            this call; None when whatever the bank has is.
    """

    kind: DownloadKind
    held: Held
    entries: Entries = field(repr=False)
    partial: Partial | None = None
    failed: Held | None = None


@unique
class DownloadPhase(Enum):
    """Where downloads stand."""

    LOGON = "logon"
    ASKING = "asking"
    FETCHING = "fetching"
    DONE = "done"


@dataclass(slots=True)
class _Fetch:
    """One kind under way."""

    stock: Stock
    base: Held
    base_entries: Entries
    head: OfferHead | None = None
    data: bytearray = field(default_factory=bytearray)
    ahead: dict[int, bytes] = field(default_factory=dict)
    next_chunk: int = 1
    rounds: int = 0
    begun: int = 0


class DownloadMachine(TerminalMachine["DownloadQuery", "DownloadEvent"]):
    """Fetches all kinds that differ; see the module's theory of operation."""

    def __init__(
        self,
        terminal_id: str,
        stocks: Sequence[Stock],
        *,
        stan_start: int,
        session: Session | None = None,
        window: int = WINDOW_DEFAULT,
    ) -> None:
        """Prepare to fetch.

        Args:
            terminal_id: 8 characters.
            stocks: what the terminal holds, in the order in which to fetch.
            stan_start: first STAN.
            session: of an upload of the same call, which logged on.
            window: questions that may be unanswered at a time, from 1.
        """
        super().__init__(
            stan_start=stan_start,
            session=session,
            in_vain="the bank stopped answering; what came down before stays in use",
        )
        assert window > 0, "something must be sent"
        self._terminal_id = terminal_id
        self._stocks = tuple(stocks)
        self._window = window
        self._waiting: deque[_Fetch] = deque()
        self._put_off: tuple[DownloadKind, ...] = ()
        self._phase = DownloadPhase.LOGON
        # Questions about a payload that another one has taken the place of.
        self._given_up: set[MessageKey] = set()
        if session is not None:
            self._begin(session)

    @property
    def phase(self) -> DownloadPhase:
        """Where the downloads stand."""
        return self._phase

    @property
    def finished(self) -> bool:
        """Whether there is nothing more to fetch in this call."""
        return self._phase is DownloadPhase.DONE

    @property
    def put_off(self) -> tuple[DownloadKind, ...]:
        """The kinds of which the bank holds just what could not be used (`Stock`)."""
        return self._put_off

    def _begin(self, session: Session) -> None:
        """Line up what the bank holds otherwise than the terminal."""
        other = [one for one in self._stocks if _differs(one.kind, one.held, session)]
        useless = {
            stock.kind
            for stock in other
            if stock.failed and not _differs(stock.kind, stock.failed, session)
        }
        self._put_off = tuple(one.kind for one in other if one.kind in useless)
        self._waiting.extend(_fetch_of(o) for o in other if o.kind not in useless)
        self._set_phase()

    def _set_phase(self) -> None:
        """The phase of the kind at hand: it knows of a payload, or is to ask."""
        if not self._waiting:
            self._phase = DownloadPhase.DONE
        elif self._waiting[0].head is None:
            self._phase = DownloadPhase.ASKING
        else:
            self._phase = DownloadPhase.FETCHING

    def _next_request(self, now: datetime) -> Request[DownloadQuery | None] | None:
        """The next request that may go out, or None."""
        if self._phase is DownloadPhase.DONE:
            return None
        if self._phase is DownloadPhase.LOGON:
            if self._unanswered:
                return None
            held = {stock.kind: stock.held for stock in self._stocks}
            versions = TerminalVersions.of_held(held)
            message = logon_message(self._terminal_id, self._take_stan(), versions, now)
            return Request(message=message, carries=None)
        query = self._next_query(self._waiting[0])
        if query is None:
            return None
        message = query_message(self._terminal_id, self._take_stan(), query, now)
        return Request(message=message, carries=query)

    def _next_query(self, fetch: _Fetch) -> DownloadQuery | None:
        if fetch.head is None:
            if self._unanswered:
                return None
            return DownloadQuery(kind=fetch.stock.kind, held=fetch.base)
        number = fetch.next_chunk
        if number > fetch.head.chunks or len(self._unanswered) >= self._window:
            return None
        fetch.next_chunk += 1
        return DownloadQuery(
            kind=fetch.stock.kind,
            held=fetch.base,
            chunk=number,
            wanted=fetch.head.wanted,
        )

    def _on_unasked(
        self, key: MessageKey, response: iso8583.Message
    ) -> list[DownloadEvent]:
        if key in self._given_up:
            self._given_up.discard(key)
            return []
        return super()._on_unasked(key, response)

    def _after_logon(self, *, accepted: bool) -> None:
        if accepted:
            assert self._session is not None, "an accepted logon opens one"
            self._begin(self._session)
        else:
            self._phase = DownloadPhase.DONE

    def _on_response(
        self, key: MessageKey, response: iso8583.Message, carried: DownloadQuery | None
    ) -> list[DownloadEvent]:
        """Take an answer to the kind at hand; what cannot be read is no answer."""
        assert carried is not None, "questions follow the logon"
        fetch = self._waiting[0]
        code = answers.parse_code(response)
        if code is not ResponseCode.ACCEPTED:
            text = answers.parse_text(response)
            return self._give_up(fetch, f"{text} (code {code.value})")
        chunk = parse_chunk(response, carried)
        if chunk.unchanged is None:
            head = chunk.head or fetch.head
            assert head is not None, "a question names a payload, or its answer does"
            _check_chunk(chunk, head)
        self._unanswered.remove(key)
        if chunk.unchanged is not None:
            return self._on_unchanged(fetch, chunk.unchanged)
        return self._on_chunk(fetch, chunk)

    def _on_unchanged(self, fetch: _Fetch, version: int) -> list[DownloadEvent]:
        held = Held(version=version, digest=fetch.base.digest)
        done = Downloaded(
            kind=fetch.stock.kind,
            held=held,
            entries=fetch.base_entries,
            form=DownloadForm.UNCHANGED,
            payload_bytes=0,
        )
        return [done, *self._move_on(fetch, held, fetch.base_entries)]

    def _on_chunk(self, fetch: _Fetch, chunk: Chunk) -> list[DownloadEvent]:
        events: list[DownloadEvent] = []
        kind = fetch.stock.kind
        if chunk.head is not None:
            fetch.begun += 1
            if fetch.begun > ROUNDS_MAX:
                return self._give_up(fetch, "the bank goes on beginning anew")
            self._forget_questions()
            fetch.head, fetch.next_chunk = chunk.head, 2
            fetch.data.clear()
            fetch.ahead.clear()
            self._phase = DownloadPhase.FETCHING
            begun = DownloadBegun(kind=kind, base=fetch.base, head=chunk.head)
            events.append(begun)
        head = fetch.head
        assert head is not None, "its first chunk has told of it"
        fetch.ahead[chunk.number] = chunk.data
        while (data := fetch.ahead.pop(_next_number(fetch), b"")) != b"":
            fetch.data += data
            events.append(
                ChunkReceived(
                    kind=kind, data=data, done=len(fetch.data), total=head.payload_bytes
                )
            )
        if len(fetch.data) == head.payload_bytes:
            events += self._on_whole(fetch, head)
        return events

    def _on_whole(self, fetch: _Fetch, head: OfferHead) -> list[DownloadEvent]:
        kind = fetch.stock.kind
        try:
            entries = apply_payload(kind, head, bytes(fetch.data), fetch.base_entries)
        except DownloadError as error:
            # What was kept from an earlier call, or is held, may be what is spoiled.
            is_alone = head.form is DownloadForm.FULL or fetch.base == nothing_held(
                kind
            )
            if (fetch.begun > 0 and is_alone) or fetch.rounds + 1 >= ROUNDS_MAX:
                return self._give_up(fetch, str(error), head)
            self._restart(fetch, nothing_held(kind), {})
            return []
        done = Downloaded(
            kind=kind,
            held=head.target,
            entries=entries,
            form=head.form,
            payload_bytes=head.payload_bytes,
        )
        return [done, *self._move_on(fetch, head.target, entries)]

    def _move_on(
        self, fetch: _Fetch, held: Held, entries: Entries
    ) -> list[DownloadEvent]:
        """The rest of the way of this kind, or the next one."""
        assert self._session is not None, "questions follow the logon"
        is_behind = held.version < self._session.versions.of(fetch.stock.kind)
        if is_behind and fetch.rounds + 1 < ROUNDS_MAX:
            self._restart(fetch, held, entries)
        else:
            self._next_kind()
        return []

    def _restart(self, fetch: _Fetch, held: Held, entries: Entries) -> None:
        self._forget_questions()
        self._waiting[0] = _Fetch(fetch.stock, held, entries, rounds=fetch.rounds + 1)
        self._set_phase()

    def _give_up(
        self, fetch: _Fetch, reason: str, head: OfferHead | None = None
    ) -> list[DownloadEvent]:
        self._next_kind()
        return [DownloadFailed(kind=fetch.stock.kind, reason=reason, head=head)]

    def _next_kind(self) -> None:
        self._forget_questions()
        self._waiting.popleft()
        self._set_phase()

    def _forget_questions(self) -> None:
        """What is still on its way belongs to a payload that is of no use now."""
        self._given_up |= self._unanswered.keys()
        self._unanswered.clear()


def _fetch_of(stock: Stock) -> _Fetch:
    fetch = _Fetch(stock, stock.held, stock.entries)
    partial = stock.partial
    if partial is not None and partial.base == stock.held:
        fetch.head = partial.head
        # Of a payload that is all there the last chunk is fetched again: its answer is
        # what makes the content.
        kept = min(len(partial.data) // CHUNK_BYTES, partial.head.chunks - 1)
        fetch.data += partial.data[: kept * CHUNK_BYTES]
        fetch.next_chunk = _next_number(fetch)
    return fetch


def _next_number(fetch: _Fetch) -> int:
    """The number of the chunk after those that are there without a gap."""
    return len(fetch.data) // CHUNK_BYTES + 1


def _check_chunk(chunk: Chunk, head: OfferHead) -> None:
    """Whether number and length are those of a chunk of this payload.

    Raises:
        DownloadError: they are not.
    """
    whole = (chunk.number - 1) * CHUNK_BYTES + len(chunk.data)
    is_last = chunk.number == head.chunks
    if chunk.last != head.chunks or (is_last and whole != head.payload_bytes):
        raise DownloadError("a chunk that is not of the payload's length")


def _differs(kind: DownloadKind, held: Held, session: Session) -> bool:
    """Whether the bank holds another content, as far as its logon told."""
    if session.versions.of(kind) != held.version:
        return True
    start = (kind - 1) * PAYLOAD_DIGEST_BYTES
    digest = session.digests[start : start + PAYLOAD_DIGEST_BYTES]
    return digest not in {b"", held.digest[:PAYLOAD_DIGEST_BYTES]}
