"""The card desk: accounts, cards and loads, each booked exactly once."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

import pytest

from settlement.check.bank import check_bank
from settlement.errors import (
    IssuingError,
    KeyStoreError,
    LoadProblem,
    LoadRefusedError,
)
from settlement.ledger import Account
from settlement.store.cards import LoadOutcome

if TYPE_CHECKING:
    from collections.abc import Callable

    Desk = Any
    LoadRequest = Any
    Purse = Any

DATABASES = ("sqlite", "postgresql")

CID = bytes.fromhex("64 00 00 00 00 00 00 01")
OTHER_CID = bytes.fromhex("64 00 00 00 00 00 00 02")
FUNDS = 5_000_000
FLOAT = Account.purse_float(CID, 512)


def refused(desk: Desk, request: LoadRequest) -> LoadProblem:
    """Ask for a load that is refused, and see that nothing was booked for it."""
    before = desk.balance(desk.account()), desk.balance(FLOAT)
    with pytest.raises(LoadRefusedError) as caught:
        desk.issuing.authorise_load(request)
    assert (desk.balance(desk.account()), desk.balance(FLOAT)) == before
    assert "No money moved" in str(caught.value)
    assert request.cid.hex() not in str(caught.value)
    return caught.value.problem


def test_an_account_opens_with_its_deposit(desk: Desk) -> None:
    row = desk.issuing.open_account(
        number="2", holder="B", currency=512, deposit_minor=7_000
    )
    assert (row.name, row.balance_minor) == ("B", 7_000)
    row = desk.issuing.deposit(number="2", currency=512, amount_minor=500)
    assert row.balance_minor == 7_500


def test_an_account_is_opened_once(desk: Desk) -> None:
    with pytest.raises(IssuingError, match="open already"):
        desk.issuing.open_account(
            number="0100000001", holder="X", currency=512, deposit_minor=1
        )
    assert desk.balance(desk.account()) == FUNDS


def test_a_deposit_needs_an_account(desk: Desk) -> None:
    with pytest.raises(IssuingError, match="no account"):
        desk.issuing.deposit(number="9", currency=512, amount_minor=1)


def test_the_same_card_is_registered_once(desk: Desk) -> None:
    desk.issue()
    desk.issue()
    purse = desk.issuing.status(CID).purse
    with pytest.raises(IssuingError, match="other data") as caught:
        desk.issuing.register_card(replace(purse, holder="Somebody else"))
    assert CID.hex() not in str(caught.value)


@pytest.mark.parametrize(
    ("change", "error", "message"),
    [
        ({"account": Account.customer("9", 512)}, IssuingError, "no account"),
        ({"currency": 784}, IssuingError, "currency"),
        ({"kv": 9}, KeyStoreError, "key version 9"),
    ],
    ids=["no account", "other currency", "no keys"],
)
def test_a_card_that_cannot_work_is_not_registered(
    desk: Desk, change: dict[str, Any], error: type[Exception], message: str
) -> None:
    desk.issue()
    purse = replace(desk.issuing.status(CID).purse, cid=OTHER_CID, **change)
    with pytest.raises(error, match=message):
        desk.issuing.register_card(purse)
    with pytest.raises(IssuingError, match="did not issue"):
        desk.issuing.status(OTHER_CID)


def test_value_that_a_card_brings_is_booked_like_a_load(desk: Desk) -> None:
    desk.issue()
    purse = replace(desk.issuing.status(CID).purse, cid=OTHER_CID)
    desk.issuing.register_card(purse, brought_minor=500_000)
    desk.issuing.register_card(purse, brought_minor=500_000)
    assert desk.balance(desk.account()) == FUNDS - 500_000
    assert desk.issuing.status(OTHER_CID).shadow.balance_minor == 500_000
    assert check_bank(desk.store).findings == ()


def test_a_card_cannot_bring_more_than_the_account_covers(desk: Desk) -> None:
    desk.issue()
    purse = replace(desk.issuing.status(CID).purse, cid=OTHER_CID)
    with pytest.raises(LoadRefusedError):
        desk.issuing.register_card(purse, brought_minor=FUNDS + 1)
    with pytest.raises(IssuingError):
        desk.issuing.status(OTHER_CID)


def test_a_load_is_booked_before_its_m2_is_known(desk: Desk) -> None:
    purse = desk.issue()
    desk.issuing.authorise_load(purse.ask_load(5_000))
    assert desk.balance(desk.account()) == FUNDS - 5_000
    assert desk.balance(FLOAT) == 5_000
    assert [load.amount_minor for load in desk.issuing.pending_loads(CID)] == [5_000]


def test_a_completed_load_is_on_the_purse_and_in_the_float(desk: Desk) -> None:
    purse = desk.loaded_purse(5_000)
    status = desk.issuing.status(CID)
    assert status.float_minor == purse.balance_minor == status.shadow.balance_minor
    assert desk.issuing.pending_loads(CID) == []


def test_the_same_request_gets_the_same_answer_and_is_booked_once(desk: Desk) -> None:
    request = desk.issue().ask_load(5_000)
    first = desk.issuing.authorise_load(request)
    desk.clock.advance(minutes=3)
    assert desk.issuing.authorise_load(request) == first
    assert desk.balance(FLOAT) == 5_000


def test_a_new_request_waits_until_the_pending_load_is_settled(desk: Desk) -> None:
    purse = desk.issue()
    first = purse.ask_load(5_000)
    given = desk.issuing.authorise_load(first)
    assert refused(desk, purse.ask_load(5_000)) is LoadProblem.UNSETTLED
    vmac = purse.burn_load(first, given)
    desk.issuing.void_load(CID, ltc=first.ltc, vmac=vmac)
    desk.load(purse, 7_000)
    assert desk.balance(FLOAT) == purse.balance_minor == 7_000


@pytest.mark.parametrize(
    ("amount_minor", "change", "problem"),
    [
        (FUNDS - 1, {}, LoadProblem.OVER_LIMIT),
        (1_000, {"currency": 784}, LoadProblem.NOT_AUTHENTIC),
        (1_000, {"amount_minor": 2_000}, LoadProblem.NOT_AUTHENTIC),
        (1_000, {"m1": bytes(8)}, LoadProblem.NOT_AUTHENTIC),
        (1_000, {"balance_minor": 7}, LoadProblem.NOT_AUTHENTIC),
        (1_000, {"kv": 2}, LoadProblem.UNKNOWN_CARD),
        (1_000, {"cid": OTHER_CID}, LoadProblem.UNKNOWN_CARD),
    ],
    ids=[
        "over the limit",
        "other currency",
        "other amount",
        "no M1",
        "other balance",
        "other keys",
        "other card",
    ],
)
def test_a_load_is_refused(
    desk: Desk, amount_minor: int, change: dict[str, Any], problem: LoadProblem
) -> None:
    request = replace(desk.issue().ask_load(amount_minor), **change)
    assert refused(desk, request) is problem


def test_a_load_that_the_account_does_not_cover_is_refused(desk: Desk) -> None:
    purse = desk.issue()
    desk.issuing.open_account(number="3", holder="C", currency=512, deposit_minor=10)
    poor = replace(
        desk.issuing.status(CID).purse,
        cid=bytes.fromhex("64 00 00 00 00 00 00 03"),
        account=Account.customer("3", 512),
    )
    desk.issuing.register_card(poor)
    purse.cid = poor.cid
    with pytest.raises(LoadRefusedError, match=r"0\.010 OMR") as caught:
        desk.issuing.authorise_load(purse.ask_load(11))
    assert caught.value.problem is LoadProblem.FUNDS
    desk.load(purse, 10)
    assert desk.balance(poor.account) == 0


def test_a_load_onto_a_hotlisted_card_is_refused(desk: Desk) -> None:
    purse = desk.issue()
    desk.issuing.hotlist(CID, reason="reported lost")
    assert refused(desk, purse.ask_load(1)) is LoadProblem.HOTLISTED
    desk.issuing.hotlist(CID, reason="found", listed=False)
    desk.load(purse, 1)


def test_a_card_that_certifies_too_much_value_is_refused_and_reported(
    desk: Desk,
) -> None:
    purse = desk.loaded_purse(1_000)
    purse.balance_minor += 1
    assert refused(desk, purse.ask_load(1)) is LoadProblem.BALANCE_IMPOSSIBLE
    assert desk.incidents() == ["balance impossible"]


def test_a_card_that_spent_value_unseen_by_the_bank_may_load(desk: Desk) -> None:
    purse = desk.loaded_purse(1_000)
    desk.customs.pay(purse, 400)
    desk.load(purse, 50)
    shadow = desk.issuing.status(CID).shadow
    assert (shadow.debited_minor, shadow.uncollected_minor) == (400, 400)
    assert check_bank(desk.store).value_accounted


def settle_twice(desk: Desk) -> tuple[Callable[[], object], Callable[[], object]]:
    """A pending load, with its completion and its reversal both provable."""
    purse = desk.issue()
    request = purse.ask_load(5_000)
    given = desk.issuing.authorise_load(request)
    ltac = purse.take_load(request, given)
    vmac = purse.burn_load(request, given)
    return (
        lambda: desk.issuing.complete_load(
            CID, ltc=1, balance_after_minor=5_000, ltac=ltac
        ),
        lambda: desk.issuing.void_load(CID, ltc=1, vmac=vmac),
    )


@pytest.mark.parametrize("first", [0, 1], ids=["completed", "voided"])
def test_settling_again_is_nothing_and_settling_otherwise_is_refused(
    desk: Desk, first: int
) -> None:
    ways = settle_twice(desk)
    assert ways[first]() == ways[first]()
    before = desk.balance(FLOAT)
    with pytest.raises(LoadRefusedError, match="already"):
        ways[1 - first]()
    assert desk.balance(FLOAT) == before == (5_000, 0)[first]


def test_a_voided_load_is_booked_back(desk: Desk) -> None:
    _, void = settle_twice(desk)
    void()
    assert desk.balance(desk.account()) == FUNDS
    assert desk.issuing.status(CID).loads[0].outcome is LoadOutcome.VOIDED


@pytest.mark.parametrize("way", ["complete", "void"])
def test_a_wrong_proof_settles_nothing(desk: Desk, way: str) -> None:
    purse = desk.issue()
    desk.issuing.authorise_load(purse.ask_load(5_000))
    ways: dict[str, Callable[[], object]] = {
        "complete": lambda: desk.issuing.complete_load(
            CID, ltc=1, balance_after_minor=5_000, ltac=bytes(8)
        ),
        "void": lambda: desk.issuing.void_load(CID, ltc=1, vmac=bytes(8)),
    }
    with pytest.raises(LoadRefusedError, match="pending") as caught:
        ways[way]()
    assert caught.value.problem is LoadProblem.NOT_AUTHENTIC
    assert len(desk.issuing.pending_loads(CID)) == 1
    assert desk.balance(FLOAT) == 5_000


def test_a_load_that_never_was_cannot_be_settled(desk: Desk) -> None:
    desk.issue()
    with pytest.raises(LoadRefusedError, match="never authorised"):
        desk.issuing.void_load(CID, ltc=1, vmac=bytes(8))


def test_a_settled_number_cannot_be_loaded_again(desk: Desk) -> None:
    purse = desk.loaded_purse(5_000)
    purse.ltc = 1
    assert refused(desk, purse.ask_load(5_000)) is LoadProblem.ALREADY_SETTLED


def test_a_terminal_can_be_bound_anew_and_keeps_its_history(desk: Desk) -> None:
    other_mid = bytes.fromhex("43 55 53 00 00 00 00 08")
    for _ in range(2):
        desk.issuing.register_customs_card(
            mid=other_mid, terminal_id="T0000007", office="SEEB", currency=512, kv=1
        )
    with desk.store.read() as books:
        assert books.cards.terminal("T0000007").office == "SEEB"
        assert len(books.cards.terminals()) == 1
        assert books.cards.binding("T0000007", desk.customs.mid).office == "SOHAR"


def test_no_repr_of_the_card_desk_shows_a_card_number(desk: Desk) -> None:
    purse = desk.loaded_purse()
    shown = repr(desk.issuing.status(CID)) + repr(purse.ask_load(1))
    assert CID.hex() not in shown.lower()
    assert repr(CID)[2:-1] not in shown
