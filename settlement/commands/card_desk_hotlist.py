"""A card on the hotlist is blocked when the card desk sees it, before anything else.

The bank's BLOCK goes to the purse first and is noted after: a desk that loses power in
between finds the card blocked at its next contact and notes it then. What the purse
holds stays on it and in its float, and it still proves what became of a load or a
payment, so nothing is lost by it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from card.maintenance import MaintenanceKey, MaintenanceSession
from card.profile import CardState, KeyUse, Role
from settlement.store.blocks import BlockRow

if TYPE_CHECKING:
    from settlement.commands.card_desk_access import HeldCard
    from settlement.commands.card_desk_bank import Desk

__all__ = ["block_if_hotlisted"]


def block_if_hotlisted(desk: Desk, held: HeldCard) -> str | None:
    """Block the purse in the reader when it is on the hotlist, and note it once.

    Returns:
        Why it is on the hotlist; None when it is not, or is none of this bank's.

    Raises:
        CardError: the card left, or refused; nothing was noted, and the next contact
            tries again.
    """
    if held.role is not Role.PURSE or held.info.state is CardState.INITIALISED:
        return None
    cid = held.info.card_id
    with desk.store.read() as books:
        listing = books.blocks.listing(cid)
        purse = books.cards.purse(cid)
    if listing is None or purse is None:
        return None
    by_command = held.info.state is not CardState.BLOCKED
    if by_command:
        km = desk.keys.card_key(KeyUse.MAINTENANCE, purse.kv, cid)
        key = MaintenanceKey(key=km, card_id=cid)
        MaintenanceSession(held.channel, key).block()
    if by_command or not listing.blocked:
        with desk.store.write() as books:
            again = books.blocks.listing(cid)
            if again == listing and not listing.blocked:
                row = BlockRow(
                    contact=f"card desk {desk.directory.settings.desk_id}",
                    by_command=by_command,
                    user=desk.user,
                    at=desk.clock(),
                )
                books.blocks.add(cid, listing, row)
    return listing.reason
