"""Whether every counter can take a content: tried here, before it is stored.

A content that a counter cannot take comes down to each of them, is thrown away at each
of them, and stops everything newer of its kind behind it. So the bank makes the very
payloads that counters would be sent, and takes them apart as a counter does.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from settlement.download import (
    ENTRIES_MAX,
    PAYLOAD_BYTES_MAX,
    RAW_BYTES_MAX,
    DownloadKind,
    Held,
    OfferHead,
)
from settlement.download_codec import (
    apply_payload,
    content_digest,
    encode_content,
    make_payload,
    offer_head,
)
from settlement.download_items import (
    encode_parameters,
    parse_parameters,
    parse_request,
    parse_service,
)
from settlement.errors import DownloadError, InputError
from settlement.publish_mistakes import NOTHING

if TYPE_CHECKING:
    from settlement.download import Entries

__all__ = ["check_publishable"]

_ANY_VERSION: Final = 1


def check_publishable(kind: DownloadKind, entries: Entries, before: Entries) -> None:
    """Refuse a content that some counter could not take.

    Args:
        kind: of both contents.
        entries: what is to be published.
        before: the newest that was, which most counters hold.

    Raises:
        InputError: a counter could not take it; the message says what to do.
    """
    if len(entries) > ENTRIES_MAX:
        raise InputError(
            f"That is {len(entries)} entries; a counter takes {ENTRIES_MAX}. {NOTHING}"
        )
    raw_bytes = len(encode_content(kind, entries))
    if raw_bytes > RAW_BYTES_MAX:
        raise InputError(
            f"That is {raw_bytes} bytes for each counter to hold; the most is "
            f"{RAW_BYTES_MAX}. {NOTHING} Publish fewer entries, or shorter ones."
        )
    try:
        _check_items(kind, entries)
        # Who holds nothing, who holds the newest, and who is not known to hold either.
        for base in ({}, before, None):
            _check_payload(kind, entries, base)
    except DownloadError as error:
        raise InputError(f"No counter could take this: {error}. {NOTHING}") from None


def _check_items(kind: DownloadKind, entries: Entries) -> None:
    match kind:
        case DownloadKind.PARAMETERS:
            if encode_parameters(parse_parameters(entries)) != entries:
                raise DownloadError("a parameter would be passed over")
        case DownloadKind.CATALOGUE:
            for key, value in entries.items():
                parse_service(key, value)
        case DownloadKind.REQUESTS:
            for key, value in entries.items():
                parse_request(key, value)
        case DownloadKind.HOTLIST:
            pass


def _check_payload(kind: DownloadKind, entries: Entries, base: Entries | None) -> None:
    form, payload = make_payload(kind, entries, base)
    if len(payload) > PAYLOAD_BYTES_MAX:
        raise DownloadError(
            f"it has {len(payload)} bytes to fetch, packed; the most is "
            f"{PAYLOAD_BYTES_MAX}"
        )
    target = Held(version=_ANY_VERSION, digest=content_digest(kind, entries))
    head = OfferHead.parse(offer_head(form, target, payload).to_bytes())
    if apply_payload(kind, head, payload, base or {}) != entries:
        raise DownloadError("it comes out as another content")
