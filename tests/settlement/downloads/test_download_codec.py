"""Contents and their differences: one byte form, and nothing else gets through."""

from __future__ import annotations

import hashlib
import random
import zlib
from typing import TYPE_CHECKING

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from settlement.download import (
    ENTRIES_MAX,
    PAYLOAD_BYTES_MAX,
    RAW_BYTES_MAX,
    DownloadForm,
    DownloadKind,
    Held,
)
from settlement.download_codec import (
    apply_payload,
    content_digest,
    encode_content,
    make_payload,
    nothing_held,
    offer_head,
    parse_content,
)
from settlement.errors import DownloadError

if TYPE_CHECKING:
    from settlement.download import OfferHead

HOTLIST, PARAMETERS = DownloadKind.HOTLIST, DownloadKind.PARAMETERS
texts = st.dictionaries(st.binary(min_size=1, max_size=12), st.binary(max_size=40))
decimals = st.integers(0, 10**16 - 1).map(lambda n: bytes.fromhex(f"{n:016d}"))
cards = st.one_of(decimals, st.binary(min_size=8, max_size=8))
hotlists = st.sets(cards).map(lambda numbers: dict.fromkeys(numbers, b""))
contents = st.one_of(
    st.tuples(st.just(HOTLIST), hotlists, hotlists),
    st.tuples(st.sampled_from(sorted(set(DownloadKind) - {HOTLIST})), texts, texts),
)


def cards_of_one_issuer(count: int, seed: int = 1) -> dict[bytes, bytes]:
    chance = random.Random(seed)
    numbers: set[int] = set()
    while len(numbers) < count:
        numbers.add(chance.randrange(10**10))
    return {bytes.fromhex(f"640000{number:010d}"): b"" for number in numbers}


def packed(data: bytes) -> bytes:
    packer = zlib.compressobj(9, zlib.DEFLATED, -15)
    return packer.compress(data) + packer.flush()


def offered(
    payload: bytes,
    entries: dict[bytes, bytes],
    kind: DownloadKind = PARAMETERS,
    form: DownloadForm = DownloadForm.FULL,
) -> OfferHead:
    """An offer of ``payload`` that is right in all that can be said of it."""
    target = Held(version=2, digest=content_digest(kind, entries))
    return offer_head(form, target, payload)


@given(contents)
def test_a_content_is_read_back_as_it_was(
    case: tuple[DownloadKind, dict[bytes, bytes], dict[bytes, bytes]],
) -> None:
    kind, entries, _ = case
    assert parse_content(kind, encode_content(kind, entries)) == entries


@given(contents)
def test_a_payload_leads_from_any_content_to_any_other(
    case: tuple[DownloadKind, dict[bytes, bytes], dict[bytes, bytes]],
) -> None:
    kind, before, after = case
    target = Held(version=9, digest=content_digest(kind, after))
    for base in (before, None):
        form, payload = make_payload(kind, after, base)
        head = offer_head(form, target, payload)
        assert apply_payload(kind, head, payload, before) == after


@pytest.mark.parametrize("kind", DownloadKind)
@given(data=st.binary(max_size=80))
@example(data=bytes.fromhex("00 00"))
@example(data=bytes.fromhex("01 FF FF FF FF FF FF FF FF FF 01 00"))
@example(data=bytes.fromhex("01 80 00 00"))
def test_any_bytes_are_a_content_in_its_one_form_or_an_error(
    kind: DownloadKind, data: bytes
) -> None:
    try:
        entries = parse_content(kind, data)
    except DownloadError:
        return
    assert encode_content(kind, entries) == data


@pytest.mark.parametrize("kind", DownloadKind)
@pytest.mark.parametrize("form", [DownloadForm.DELTA, DownloadForm.FULL])
@given(raw=st.binary(max_size=60), as_it_is=st.booleans())
def test_any_payload_leads_to_what_was_promised_or_is_an_error(
    kind: DownloadKind, form: DownloadForm, raw: bytes, as_it_is: bool
) -> None:
    payload = raw if as_it_is else packed(raw)
    base = {bytes.fromhex("6400000000000001"): b""}
    head = offered(payload, base, kind, form)
    try:
        entries = apply_payload(kind, head, payload, base)
    except DownloadError:
        return
    assert entries == base


REFUSED = {
    "cut short": "02 01 61 00",
    "something after the end": "00 00",
    "keys out of order": "02 01 62 00 01 61 00",
    "a key twice": "02 01 61 00 01 61 00",
    "an empty key": "01 00 00",
    "a number longer than it has to be": "81 00 01 61 00",
    "a number without an end": "FF FF FF FF FF FF FF FF FF FF FF",
    "a key longer than any": "01 41" + "61" * 65 + "00",
}


@pytest.mark.parametrize("data", REFUSED.values(), ids=REFUSED)
def test_a_content_in_another_form_is_refused(data: str) -> None:
    with pytest.raises(DownloadError):
        parse_content(PARAMETERS, bytes.fromhex(data))


NO_HOTLIST = {
    "past the last decimal number": "01 80 80 84 FE A6 DE E1 11 00",
    "a decimal number in the list of the others": "00 01 01",
    "one list only": "00",
    "more cards than there may be": "C1 9A 0C",
}


@pytest.mark.parametrize("data", NO_HOTLIST.values(), ids=NO_HOTLIST)
def test_a_hotlist_in_another_form_is_refused(data: str) -> None:
    with pytest.raises(DownloadError):
        parse_content(HOTLIST, bytes.fromhex(data))


def test_the_bound_of_the_hotlist_is_the_one_tested() -> None:
    assert bytes.fromhex("C1 9A 0C") == bytes(
        [(ENTRIES_MAX + 1) & 0x7F | 0x80, ((ENTRIES_MAX + 1) >> 7) & 0x7F | 0x80, 0x0C]
    )


def test_a_payload_that_unpacks_to_too_much_is_refused() -> None:
    bomb = packed(bytes(RAW_BYTES_MAX + 1))
    with pytest.raises(DownloadError, match="unpacks to too much"):
        apply_payload(PARAMETERS, offered(bomb, {}), bomb, {})


def test_a_payload_longer_than_any_is_refused() -> None:
    payload = bytes(PAYLOAD_BYTES_MAX + 1)
    with pytest.raises(DownloadError, match="too long"):
        apply_payload(PARAMETERS, offered(payload, {}), payload, {})


def test_what_follows_the_compressed_bytes_is_refused() -> None:
    payload = packed(b"\x00") + b"\x00"
    with pytest.raises(DownloadError):
        apply_payload(PARAMETERS, offered(payload, {}), payload, {})


def test_a_payload_with_one_wrong_bit_is_refused() -> None:
    entries = {b"a": b"1"}
    _, payload = make_payload(PARAMETERS, entries, None)
    head = offered(payload, entries)
    for bit in range(8 * len(payload)):
        wrong = bytearray(payload)
        wrong[bit // 8] ^= 1 << bit % 8
        with pytest.raises(DownloadError, match="not the one"):
            apply_payload(PARAMETERS, head, bytes(wrong), {})


def test_a_content_of_another_digest_is_refused() -> None:
    _, payload = make_payload(PARAMETERS, {b"a": b"1"}, None)
    with pytest.raises(DownloadError, match="another digest"):
        apply_payload(PARAMETERS, offered(payload, {b"a": b"2"}), payload, {})


DELTAS = {
    "removes what is not there": "01 01 7A 00",
    "removes what it changes": "01 01 61 01 01 61 00",
}


@pytest.mark.parametrize("raw", DELTAS.values(), ids=DELTAS)
def test_a_delta_that_does_not_fit_is_refused(raw: str) -> None:
    payload = packed(bytes.fromhex(raw))
    head = offered(payload, {}, form=DownloadForm.DELTA)
    with pytest.raises(DownloadError, match="delta"):
        apply_payload(PARAMETERS, head, payload, {b"a": b"1"})


def test_equal_entries_of_two_kinds_have_two_digests() -> None:
    assert len({nothing_held(kind).digest for kind in DownloadKind}) == 4


def test_the_digest_is_that_of_the_documented_bytes() -> None:
    content = b"raseed download 1" + bytes.fromhex("01 01 01 61 01 31")
    digest = hashlib.sha256(content).digest()
    assert content_digest(PARAMETERS, {b"a": b"1"}) == digest


def test_ten_thousand_cards_are_well_under_sixty_thousand_bytes() -> None:
    form, payload = make_payload(HOTLIST, cards_of_one_issuer(10_000), None)
    assert form is DownloadForm.FULL
    assert len(payload) < 35_000


def test_ten_cards_more_are_a_delta_of_some_tens_of_bytes() -> None:
    after = cards_of_one_issuer(10_010)
    before = dict(list(after.items())[:10_000])
    form, payload = make_payload(HOTLIST, after, before)
    assert form is DownloadForm.DELTA
    assert len(payload) < 100


def test_a_list_that_changed_altogether_comes_whole() -> None:
    form, _ = make_payload(
        HOTLIST, cards_of_one_issuer(50), cards_of_one_issuer(500, seed=2)
    )
    assert form is DownloadForm.FULL


def test_a_delta_that_unpacks_to_more_than_a_counter_takes_is_not_sent() -> None:
    chance = random.Random(4)
    stays = {b"s%d" % number: chance.randbytes(2048) for number in range(300)}
    gone = {b"%060d" % number: b"" for number in range(55_000)}
    new = {b"%04d" % number: b"x" * 2048 for number in range(1_000)}
    before, after = {**stays, **gone}, {**stays, **new}
    for content in (before, after):
        assert len(encode_content(PARAMETERS, content)) <= RAW_BYTES_MAX
    form, payload = make_payload(PARAMETERS, after, before)
    assert form is DownloadForm.FULL
    assert len(payload) <= PAYLOAD_BYTES_MAX
    head = offered(payload, after)
    assert apply_payload(PARAMETERS, head, payload, before) == after
    less = {key: gone[key] for key in list(gone)[:20_000]}
    form, _ = make_payload(PARAMETERS, after, {**stays, **less})
    assert form is DownloadForm.DELTA
