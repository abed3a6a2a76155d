"""A group is cleared as its payments would be one by one, whatever happened before.

Two banks see the same history: one is sent groups, the other (`one_by_one`) looks at
each payment by itself. Their answers are the same, and so is every row of every table.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from datetime import timedelta
from functools import partial
from typing import TYPE_CHECKING, Any

from hypothesis import given, settings
from hypothesis import strategies as st

from card.records import CHAIN_START, BatchClose
from settlement.bank import Bank
from settlement.messages import ResponseCode
from settlement.payment import OpenItem, PaymentKind, PaymentRecord
from settlement.store.schema import metadata

from .one_by_one import OneByOneBank

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from datetime import datetime

    from settlement.messages import BatchHeader, RecordAnswer

    Desk = Any
    Purse = Any

DATABASES = ("sqlite", "postgresql")

CIDS = [bytes.fromhex(f"64 00 00 00 00 00 00 0{number}") for number in range(1, 4)]
STRANGER = bytes.fromhex("64 00 00 00 00 00 00 09")
OTHER_MID = bytes.fromhex("43 55 53 00 00 00 00 08")


@dataclass
class Story:
    """Two banks, the cards that both know, and what is on its way to them."""

    grouped: Desk
    single: Desk
    purses: list[Purse]
    all_made: list[PaymentRecord] = field(default_factory=list)
    waiting: list[PaymentRecord] = field(default_factory=list)
    opened: list[OpenItem] = field(default_factory=list)
    batch: int = 0
    header: Any = None
    in_order: bool = False

    def begin(self) -> None:
        """The next batch, whose sums do not matter here."""
        self.send()
        self.batch += 1
        close = BatchClose(
            batch=self.batch,
            count=1,
            sum_minor=1,
            open_count=0,
            open_sum_minor=0,
            chain=CHAIN_START,
            mac=bytes(16),
        )
        self.header = self.grouped.customs.header(close)
        self.both(lambda desk: desk.bank.begin_batch(self.header, desk.clock()).code)

    def both(self, deed: Callable[[Desk], object]) -> None:
        assert deed(self.grouped) == deed(self.single)

    def make(self, purse: Purse, amount: int, **changes: Any) -> PaymentRecord:
        customs = self.grouped.customs
        customs.records = []
        sent = customs.pay(purse, amount, **changes)
        self.add(sent)
        return sent  # type: ignore[no-any-return]  # the fixtures are untyped here

    def add(self, sent: PaymentRecord) -> None:
        self.all_made.append(sent)
        self.waiting.append(sent)

    def changed(self, purse: Purse, sent: PaymentRecord, **changes: Any) -> None:
        """The payment that was just made, but not as it was made."""
        self.all_made.remove(sent)
        self.waiting.remove(sent)
        tx = replace(sent.tx, **changes)
        self.add(purse.sign(replace(sent, tx=tx)))

    def earlier(self, number: int) -> PaymentRecord | None:
        return (
            self.all_made[-1 - number % len(self.all_made)] if self.all_made else None
        )

    def stan(self) -> int:
        self.grouped.customs.stan += 1
        return self.grouped.customs.stan - 1  # type: ignore[no-any-return]

    def send(self, *, reverse: bool = False) -> None:
        group, self.waiting = self.waiting, []
        if group:
            group = group[::-1] if reverse else group
            if self.in_order:
                group.sort(key=lambda sent: (sent.sequence, sent.stan))
            self.both(
                lambda desk: desk.bank.take_payments(self.header, group, desk.clock())
            )


def pay(story: Story, purse: Purse, number: int) -> None:
    story.make(purse, 10 + number)


def pay_out_of_sight(story: Story, purse: Purse, number: int) -> None:
    """A payment that this counter does not deliver."""
    sent = story.make(purse, 10 + number)
    story.waiting.remove(sent)


def burn(story: Story, purse: Purse, number: int) -> None:
    purse.otc += 1


def deliver_late(story: Story, purse: Purse, number: int) -> None:
    """Any payment that was made, delivered or not, as it was."""
    if (sent := story.earlier(number)) is not None:
        story.waiting.append(sent)


def deliver_under_another_stan(story: Story, purse: Purse, number: int) -> None:
    if (sent := story.earlier(number)) is not None:
        story.waiting.append(replace(sent, stan=story.stan()))


def use_a_stan_twice(story: Story, purse: Purse, number: int) -> None:
    if (sent := story.earlier(number)) is not None:
        story.add(replace(story.make(purse, 7), stan=sent.stan))


def use_an_otc_twice(story: Story, purse: Purse, number: int) -> None:
    purse.otc = max(1, purse.otc - 1 - number % 2)
    story.make(purse, 20 + number)


def use_a_tsn_twice(story: Story, purse: Purse, number: int) -> None:
    if (sent := story.earlier(number)) is not None:
        story.changed(purse, story.make(purse, 9), tsn=sent.tx.tsn)


def forge(story: Story, purse: Purse, number: int) -> None:
    sent = story.make(purse, 30 + number)
    story.add(replace(sent, tac=bytes(8)))
    if number % 2:
        story.waiting.remove(sent)


def name_unknown_keys(story: Story, purse: Purse, number: int) -> None:
    story.add(replace(story.make(purse, 5), kv=9))


def pay_by_a_stranger(story: Story, purse: Purse, number: int) -> None:
    story.make(replace(purse, cid=STRANGER), 10)


def pay_another_customs_card(story: Story, purse: Purse, number: int) -> None:
    story.changed(purse, story.make(purse, 8), mid=OTHER_MID)


def pay_in_another_currency(story: Story, purse: Purse, number: int) -> None:
    story.make(purse, 8, currency=784)


def forget_the_details(story: Story, purse: Purse, number: int) -> None:
    sent = story.make(purse, 11)
    story.waiting[-1] = replace(sent, details=None)


def pay_a_deposit(story: Story, purse: Purse, number: int) -> None:
    story.make(purse, 12, kind=PaymentKind.DEPOSITS)


def pay_too_much(story: Story, purse: Purse, number: int) -> None:
    purse.balance_minor += 2_600_000
    story.make(purse, 2_500_000 + number)


def lose_a_counter(story: Story, purse: Purse, number: int) -> None:
    purse.cumulative_minor += number % 3
    purse.balance_minor = max(purse.balance_minor, 0)


def report_open(story: Story, purse: Purse, number: int) -> None:
    """A payment whose outcome the counter does not know; the purse has its number."""
    item = story.grouped.customs.begin(purse, 10 + number)
    story.opened.append(item)
    story.send()
    story.both(
        lambda desk: desk.bank.take_open(story.header, item, desk.clock()).closure
    )


def debit_open(story: Story, purse: Purse, number: int) -> None:
    """The purse was debited after all, and the payment comes by itself."""
    if not story.opened:
        return
    item = story.opened[number % len(story.opened)]
    owner = next(p for p in story.purses if p.cid == item.open_record.tx.cid)
    proof = owner.debit(item)
    story.add(story.grouped.customs.credit(item, proof))


def list_card(story: Story, purse: Purse, number: int) -> None:
    """The card goes on the hotlist, or off it."""
    story.send()

    def change(desk: Desk) -> None:
        with desk.store.write() as books:
            books.publications.list_cards(
                {purse.cid: "lost"}, listed=number % 3 > 0, since=desk.clock()
            )

    story.both(change)


DEEDS: dict[str, Callable[[Story, Any, int], None]] = {
    "pay": pay,
    "pay out of sight": pay_out_of_sight,
    "burn": burn,
    "deliver late": deliver_late,
    "deliver under another STAN": deliver_under_another_stan,
    "use a STAN twice": use_a_stan_twice,
    "use an otc twice": use_an_otc_twice,
    "use a tsn twice": use_a_tsn_twice,
    "forge": forge,
    "name unknown keys": name_unknown_keys,
    "pay by a stranger": pay_by_a_stranger,
    "pay another customs card": pay_another_customs_card,
    "pay in another currency": pay_in_another_currency,
    "forget the details": forget_the_details,
    "pay a deposit": pay_a_deposit,
    "pay too much": pay_too_much,
    "lose a counter": lose_a_counter,
    "report open": report_open,
    "debit open": debit_open,
    "list card": list_card,
    "send": lambda story, _purse, number: story.send(reverse=number % 3 == 0),
    "begin the next batch": lambda story, _purse, _number: story.begin(),
}
STEPS = st.lists(
    st.tuples(
        st.sampled_from([*DEEDS, "pay", "pay", "pay", "deliver late", "debit open"]),
        st.integers(0, len(CIDS) - 1),
        st.integers(0, 9),
    ),
    max_size=40,
)


EXAMPLES = {"sqlite": 40, "postgresql": 6}
"""Two new databases for each take a server long."""


def test_a_group_is_cleared_as_its_payments_one_by_one(
    new_desk: Callable[[], Desk], database: str
) -> None:
    @settings(max_examples=EXAMPLES[database], deadline=None)
    @given(STEPS)
    def live(steps: list[tuple[str, int, int]]) -> None:
        story = new_story(new_desk)
        try:
            for name, place, number in steps:
                DEEDS[name](story, story.purses[place], number)
            story.send()
            assert rows(story.grouped) == rows(story.single)
        finally:
            story.grouped.store.close()
            story.single.store.close()

    live()


class StagingBank(Bank):
    """Posts nothing at once: it receives a group, and posts it after a while."""

    def __init__(self, desk: Desk, after: timedelta = timedelta()) -> None:
        super().__init__(desk.store, desk.keys, groups_max=0)
        self._after = after

    def take_payments(
        self, header: BatchHeader, payments: Sequence[PaymentRecord], now: datetime
    ) -> Sequence[RecordAnswer]:
        received = super().take_payments(header, payments, now)
        self.desk.post_batch(header, now + self._after)
        told = super().take_payments(header, payments, now)
        # Nothing but what was received only is answered otherwise afterwards.
        for before, after in zip(received, told, strict=True):
            assert before.code is ResponseCode.RECEIVED or before == after
        return told


def test_what_is_received_first_and_posted_later_is_cleared_alike(
    new_desk: Callable[[], Desk], database: str
) -> None:
    @settings(max_examples=EXAMPLES[database], deadline=None)
    @given(STEPS)
    def live(steps: list[tuple[str, int, int]]) -> None:
        story = new_story(new_desk, StagingBank, in_order=True)
        try:
            for name, place, number in steps:
                DEEDS[name](story, story.purses[place], number)
            story.send()
            staged, single = rows(story.grouped), rows(story.single)
            for name in NOT_ALIKE:
                del staged[name], single[name]
            assert staged == single
            incidents = [fingerprints(desk) for desk in (story.grouped, story.single)]
            assert incidents[0] == incidents[1]
            assert story.grouped.found().keys() == story.single.found().keys()
        finally:
            story.grouped.store.close()
            story.single.store.close()

    live()


def test_what_is_posted_an_hour_later_leaves_books_as_clean(
    new_desk: Callable[[], Desk], database: str
) -> None:
    """Moments of booking differ then, as nothing else does."""

    @settings(max_examples=EXAMPLES[database], deadline=None)
    @given(STEPS)
    def live(steps: list[tuple[str, int, int]]) -> None:
        bank = partial(StagingBank, after=timedelta(hours=1))
        story = new_story(new_desk, bank, in_order=True)
        try:
            for name, place, number in steps:
                DEEDS[name](story, story.purses[place], number)
            story.send()
            assert story.grouped.found().keys() == story.single.found().keys()
        finally:
            story.grouped.store.close()
            story.single.store.close()

    live()


NOT_ALIKE = ("staged", "staged_batch", "incident", "incident_evidence")
"""A STAN used twice is known when it is received: incidents come in another order."""


def fingerprints(desk: Desk) -> set[bytes]:
    with desk.store.audit() as stored:
        found, _ = stored.rows("incident", ["fingerprint"])
        return {fingerprint for _, (fingerprint,) in found}


def new_story(
    new_desk: Callable[[], Desk],
    bank: Callable[[Desk], Bank] | None = None,
    *,
    in_order: bool = False,
) -> Story:
    grouped, single = new_desk(), new_desk()
    if bank is not None:
        grouped.bank = bank(grouped)
    single.bank = OneByOneBank(single.store, single.keys)
    purses = [
        [desk.loaded_purse(40_000, cid=cid) for cid in CIDS]
        for desk in (grouped, single)
    ]
    story = Story(grouped=grouped, single=single, purses=purses[0], in_order=in_order)
    story.begin()
    return story


def rows(desk: Desk) -> dict[str, list[str]]:
    """Every row of every table."""
    found = {}
    with desk.store.audit() as stored:
        for name, table in metadata.tables.items():
            there, problems = stored.rows(name, [one.name for one in table.columns])
            assert not problems
            found[name] = sorted(repr(values) for _, values in there)
    return found
