"""What the host's log says of each event, for people and for machines."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, assert_never

from modem.certificates import EXPIRY_WARNING
from modem.events import (
    Closed,
    Connected,
    DialFailed,
    Dialling,
    ModemReported,
    ModemSpoke,
    Ringing,
    Secured,
    Securing,
    WaitingForCall,
)
from settlement.host_events import (
    BatchEnded,
    BatchOpened,
    CallEnded,
    GroupAnswered,
    GroupTaken,
    Listening,
    LoggedOn,
    ModemTrouble,
    PaymentsTaken,
)
from settlement.messages import ResponseCode
from settlement.money import format_amount

if TYPE_CHECKING:
    import datetime as dt

    from modem.events import CallEvent
    from settlement.host_events import HostEvent
    from settlement.messages import Total
    from settlement.money import Currency

__all__ = ["facts", "is_bad", "stamp", "words"]


def _ending(event: Secured, at: dt.datetime) -> str:
    """Which certificates end soon, and the command that renews each; or nothing."""
    told = ""
    if _ends_soon(event.peer_until, at):
        command = f"raseed-bank terminal renew {event.peer_name}"
        told += f"; its certificate ends on {event.peer_until:%Y-%m-%d}: {command}"
    if _ends_soon(event.own_until, at):
        command = "raseed-bank host renew"
        told += f"; the host's own ends on {event.own_until:%Y-%m-%d}: {command}"
    return told


def _ends_soon(until: dt.datetime | None, at: dt.datetime) -> bool:
    return until is not None and until - at < EXPIRY_WARNING


def stamp(at: dt.datetime) -> str:
    """A time as the log has it."""
    return f"{at:%Y-%m-%dT%H:%M:%SZ}"


def words(event: HostEvent | CallEvent, currency: Currency, at: dt.datetime) -> str:
    """What happened, for people; ``at`` is when."""
    told = _words(event, currency)
    return told + _ending(event, at) if isinstance(event, Secured) else told


def _words(event: HostEvent | CallEvent, currency: Currency) -> str:
    match event:
        case LoggedOn(terminal_id=terminal, answer=answer):
            told = f"terminal {terminal} logs on: {_code(answer.code, answer.text)}"
        case BatchOpened(header=header, answer=answer):
            close = header.close
            amount = format_amount(close.sum_minor, currency)
            told = (
                f"terminal {header.terminal_id} batch {close.batch}: "
                f"{close.count} payments, {amount} {currency}: "
                f"{_code(answer.code, answer.text)}"
            )
        case PaymentsTaken(header=header, answers=answers):
            counts = _counts(event)
            each = ", ".join(f"{count} x {name}" for name, count in counts.items())
            told = (
                f"terminal {header.terminal_id} batch {header.close.batch}: "
                f"{len(answers)} payments taken: {each}"
            )
        case BatchEnded(header=header, answer=answer):
            told = (
                f"terminal {header.terminal_id} batch {header.close.batch}: "
                f"{_code(answer.code, answer.text)}; "
                f"posted {_total(answer.posted, currency)}, "
                f"in suspense {_total(answer.suspended, currency)}"
            )
        case CallEnded(terminal_id=terminal, messages=messages, trouble=None):
            told = f"terminal {terminal} has ended the call after {messages} messages"
        case CallEnded(terminal_id=terminal, messages=messages, trouble=trouble):
            told = f"call of {terminal} ended after {messages} messages: {trouble}"
        case ModemTrouble(reason=reason, retry_in_s=0):
            told = (
                f"no call: {reason} Others come in as before; raseed-bank terminals "
                "shows every terminal's certificate and last call."
            )
        case ModemTrouble(reason=reason, retry_in_s=seconds):
            told = (
                f"no call: {reason} Tried again in {seconds} s; if it goes on, check "
                "this port, its modem and the cables."
            )
        case _:
            told = _line_words(event)
    return told


def _line_words(event: Listening | GroupTaken | GroupAnswered | CallEvent) -> str:
    match event:
        case Listening():
            told = "taking connections"
        case GroupTaken(messages=messages) | GroupAnswered(messages=messages):
            told = f"{messages} messages"  # not told; the type allows it
        case Connected(rate_bps=0):
            told = "connected over the network"
        case _:
            told = _call_words(event)
    return told


def _call_words(event: CallEvent) -> str:
    match event:
        case WaitingForCall():
            told = "waiting for a call"
        case Ringing():
            told = "ringing"
        case Connected(rate_bps=rate):
            told = f"connected at {rate} bit/s"
        case ModemReported(name=name, text=text):
            told = f"the modem reports {name.value}: {text}"
        case ModemSpoke(text=text, by_modem=by_modem):
            told = f"{'<' if by_modem else '>'} {text}"  # only told where it is tried
        case Securing():
            told = "checking certificates"
        case Secured(peer_name=name):
            told = f"secured with {name}"
        case Closed(clean=clean, reason=reason):
            told = f"hung up ({'in order' if clean else 'not in order'}: {reason})"
        case Dialling(number=number) | DialFailed(number=number):
            told = f"dialling {number}"  # a host never dials; the type allows it
        case _:
            assert_never(event)
    return told


def facts(event: HostEvent | CallEvent) -> dict[str, Any]:
    """The same for machines."""
    found: dict[str, Any]
    match event:
        case LoggedOn(terminal_id=terminal, answer=answer):
            found = {"terminal": terminal, "code": answer.code, "text": answer.text}
        case BatchOpened(header=header, answer=answer):
            found = {
                "terminal": header.terminal_id,
                "batch": header.close.batch,
                "count": header.close.count,
                "sum_minor": header.close.sum_minor,
                "code": answer.code,
                "text": answer.text,
            }
        case PaymentsTaken(header=header):
            found = {
                "terminal": header.terminal_id,
                "batch": header.close.batch,
                "answers": _counts(event),
                "seconds": round(event.seconds, 6),
            }
        case BatchEnded(header=header, answer=answer):
            found = {
                "terminal": header.terminal_id,
                "batch": header.close.batch,
                "code": answer.code,
                "text": answer.text,
                "posted_count": answer.posted.count,
                "posted_minor": answer.posted.sum_minor,
                "suspended_count": answer.suspended.count,
                "suspended_minor": answer.suspended.sum_minor,
            }
        case CallEnded(terminal_id=terminal, messages=messages, trouble=trouble):
            found = {
                "terminal": terminal,
                "messages": messages,
                "outcome": event.outcome.value,
                "trouble": trouble,
            }
        case ModemTrouble(reason=reason, retry_in_s=seconds):
            found = {"reason": reason, "retry_in_s": seconds}
        case Listening() | GroupTaken() | GroupAnswered():
            found = {}
        case ModemReported(name=name, text=text):
            found = {"name": name.value, "text": text}
        case Secured(peer_until=peer_until, own_until=own_until):
            found = {
                "text": _call_words(event),
                "terminal": event.peer_name,
                "resumed": event.resumed,
                "certificate_until": None if peer_until is None else stamp(peer_until),
                "own_certificate_until": None
                if own_until is None
                else stamp(own_until),
            }
        case _:
            found = {"text": _call_words(event)}
    return found


def _code(code: ResponseCode, text: str) -> str:
    words = code.name.lower().replace("_", " ")
    told = f"{words}, code {code}" if code is not ResponseCode.ACCEPTED else words
    return f"{told} ({text})" if text else told


def _total(total: Total, currency: Currency) -> str:
    return f"{total.count} ({format_amount(total.sum_minor, currency)} {currency})"


def _counts(event: PaymentsTaken) -> dict[str, int]:
    counts: dict[str, int] = {}
    for answer in event.answers:
        name = answer.code.name.lower()
        counts[name] = counts.get(name, 0) + 1
    return counts


def is_bad(event: HostEvent | CallEvent) -> bool:
    """Whether a person might have to do something about it."""
    match event:
        case ModemTrouble():
            return True
        case CallEnded(trouble=trouble):
            return trouble is not None
        case LoggedOn(answer=answer) | BatchOpened(answer=answer):
            return answer.code is not ResponseCode.ACCEPTED
        case BatchEnded(answer=ended):
            return ended.code not in {ResponseCode.ACCEPTED, ResponseCode.RECEIVED}
        case _:
            return False
