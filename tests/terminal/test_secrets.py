"""No PIN and no full card number lies, or is shown, anywhere after a whole session."""

from __future__ import annotations

import gc
import logging
import sys
from typing import TYPE_CHECKING

import pytest

from card.pin import pin_block
from card.profile import Role
from sim.cards.issue import PurseData, issue_purse
from terminal.errors import CardProblemError
from terminal.orders import Paid, Refused, Unknown

if TYPE_CHECKING:
    from tests.terminal.conftest import Bench

PIN = b"73915208"
WRONG_PIN = b"86420975"
CID = bytes.fromhex("64123456 78901234")
DATA = PurseData(card_id=CID.hex(), pin=PIN.decode())


def forbidden() -> list[bytes]:
    """Every form in which a secret could be written."""
    found = [PIN, WRONG_PIN, CID]
    for secret in (CID, pin_block(PIN), pin_block(WRONG_PIN)):
        text = secret.hex()
        found += [secret, text.encode(), text.upper().encode(), repr(secret).encode()]
        found.append(str(int.from_bytes(secret, "big")).encode())
        found.append(" ".join(f"{byte:02x}" for byte in secret).encode())
        found.append(" ".join(f"{byte:02X}" for byte in secret).encode())
    return found


def assert_clean(content: bytes, where: str) -> None:
    for secret in forbidden():
        assert secret not in content, f"{where} holds {secret!r}"


def session(bench: Bench) -> list[object]:
    """Payments that go well, badly, and unknown; everything that came back."""
    purse = issue_purse(None, DATA)
    bench.readers.remove(Role.PURSE)
    bench.readers.insert(Role.PURSE, purse)
    seen = bench.counter.read_purse()
    got: list[object] = [
        seen,
        bench.pay(pin=PIN, seen=seen),
        bench.pay(pin=WRONG_PIN, seen=seen),
        bench.pay(pin=b"7", seen=seen),
        bench.pay("1999", pin=PIN, seen=seen),
    ]
    for at in range(6):
        seen = bench.counter.read_purse()
        bench.faults.arm("lost", at, removes=True)
        got.append(bench.pay(pin=PIN, seen=seen))
        bench.faults.disarm()
        got.append(bench.counter.interrupted())
        for role, card in ((Role.CUSTOMS, bench.customs), (Role.PURSE, purse)):
            bench.readers.insert(role, card)
        got += bench.counter.on_card_inserted()
    purse.memory.commit({"state": 0x0F})
    with pytest.raises(CardProblemError) as caught:
        bench.counter.read_purse()
    got += [caught.value, bench.counter.snapshot()]
    got.append(bench.counter.close_day(lambda _: None))
    got += bench.journal.payments.unfinished()
    got += [bench.journal.payments.get(number) for number in range(1, 6)]
    got += bench.journal.batches.in_state()
    return got


def test_journal_files_hold_no_pin_and_no_card_number(
    running: Bench, capfd: pytest.CaptureFixture[str]
) -> None:
    got = session(running)
    assert {type(one) for one in got} >= {Paid, Refused, Unknown}
    files = list(running.config.state_directory.iterdir())
    assert {path.name for path in files} >= {"journal.sqlite", "journal.sqlite-wal"}
    for path in files:
        assert_clean(path.read_bytes(), path.name)
    running.stop()
    for path in running.config.state_directory.iterdir():
        assert_clean(path.read_bytes(), path.name)
    out, err = capfd.readouterr()
    assert_clean(out.encode() + err.encode(), "output")


def test_logs_and_reprs_hold_no_pin_and_no_card_number(
    running: Bench, caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level(logging.DEBUG):
        got = session(running)
    assert_clean(caplog.text.encode(), "log")
    for one in got:
        assert_clean(repr(one).encode() + str(one).encode(), type(one).__name__)


def test_reprs_of_everything_alive_hold_no_pin_and_no_card_number(
    running: Bench,
) -> None:
    got = session(running)
    assert got
    ours = [
        one
        for one in gc.get_objects()
        if str(type(one).__module__).split(".")[0] in {"terminal", "card", "settlement"}
    ]
    assert len(ours) > 50
    for one in ours:
        assert_clean(repr(one).encode(), type(one).__name__)


def test_a_traceback_out_of_a_payment_shows_no_pin(
    running: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    seen = running.counter.read_purse()

    def broken(*_: object) -> None:
        raise ZeroDivisionError

    monkeypatch.setattr(running.journal.payments, "write", broken)
    pin = bytearray(PIN)
    with pytest.raises(ZeroDivisionError):
        running.counter.pay(running.order(), seen, pin)
    assert not any(pin)


@pytest.mark.skipif(sys.platform != "linux", reason="modes are those of Linux")
def test_only_the_owner_can_read_the_journals_key_and_folder(running: Bench) -> None:
    folder = running.config.state_directory
    assert folder.stat().st_mode & 0o077 == 0
    assert (folder / "journal.key").stat().st_mode & 0o077 == 0
