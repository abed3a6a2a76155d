"""``raseed-card show``: what a card is and holds, and what the bank knows of it."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from card.profile import CardState, Role
from settlement.commands.bank_access import NoKeys, open_bank
from settlement.commands.card_desk_access import (
    NumberStyle,
    full_number_option,
    hold_card,
    printable,
    reader_option,
)
from settlement.commands.environment import environment_of, today
from settlement.commands.output import (
    ExampleCommand,
    facts_table,
    json_option,
    output_of,
)
from settlement.issuing import Issuing
from settlement.money import currency_by_number, format_amount

if TYPE_CHECKING:
    from card.fci import CardInfo
    from settlement.commands.card_desk_access import HeldCard
    from settlement.commands.environment import Environment
    from settlement.issuing import PurseStatus
    from settlement.money import Currency

__all__ = ["show"]

_STATES = {
    CardState.INITIALISED: "blank, not personalised",
    CardState.ACTIVE: "active",
    CardState.BLOCKED: "blocked",
}


@click.command(
    cls=ExampleCommand,
    epilog="""
Examples:
  raseed-card show
  raseed-card show --reader customs --json
  raseed-card show --bank bank
""",
)
@click.option(
    "--bank",
    type=click.Path(path_type=Path),
    envvar="RASEED_BANK",
    show_envvar=True,
    metavar="DIR",
    help="Also show what the bank's books say of a purse.",
)
@reader_option
@full_number_option
@json_option
@click.pass_context
def show(
    ctx: click.Context, *, bank: Path | None, reader: str | None, full_number: bool
) -> None:
    """Show what the card in the reader is and holds; no PIN needed.

    Takes a purse or a customs card.
    """
    environment = environment_of(ctx)
    numbers = NumberStyle(full=full_number)
    with hold_card(environment, reader, Role.PURSE, Role.CUSTOMS) as held:
        document = _identity(held, numbers)
        if held.info.state is not CardState.INITIALISED:
            document |= _terms(held.info, environment)
            document |= _purse(held) if held.role is Role.PURSE else _customs(held)
    if bank is not None and "balance_minor" in document:
        document["bank"] = _bank_view(environment, bank, held.info)
    facts = _facts(document, held.info)
    output_of(ctx).show(document, lambda console: console.print(facts_table(facts)))


def _currency(info: CardInfo) -> Currency:
    assert info.currency is not None, "a personalised card has one"
    return currency_by_number(info.currency)


def _identity(held: HeldCard, numbers: NumberStyle) -> dict[str, Any]:
    document: dict[str, Any] = {
        "reader": held.reader,
        "kind": held.role.value,
        "state": _STATES[held.info.state],
    }
    if held.info.state is CardState.INITIALISED:
        return document | {"serial": held.info.card_id.hex().upper()}
    return document | {"card": numbers.show(held.info)}


def _terms(info: CardInfo, environment: Environment) -> dict[str, Any]:
    return {
        "holder": printable(info.holder_name or ""),
        "language": info.language,
        "currency": _currency(info).code,
        "valid_from": str(info.valid_from),
        "expiry": str(info.expiry),
        "valid_today": info.is_valid_on(today(environment)),
        "key_version": info.key_version,
    }


def _purse(held: HeldCard) -> dict[str, Any]:
    return {
        "balance_minor": held.purse().balance(),
        "balance_limit_minor": held.info.balance_limit_minor,
        "payment_limit_minor": held.info.payment_limit_minor,
        "pin_tries_left": held.info.tries_left,
    }


def _customs(held: HeldCard) -> dict[str, Any]:
    status = held.customs().status()
    return {
        "batch": status.batch,
        "batch_payments": status.count,
        "batch_sum_minor": status.sum_minor,
        "uncollected_minor": status.total_minor,
        "open_records": status.open_count,
        "waiting_batches": status.closed_count,
        "activation_tries_left": held.info.tries_left,
    }


def _bank_view(
    environment: Environment, bank: Path, info: CardInfo
) -> dict[str, Any] | None:
    """What the books say of a purse; None when this bank did not issue it."""
    with open_bank(bank) as opened:
        with opened.store.read() as books:
            if books.cards.purse(info.card_id) is None:
                return None
        issuing = Issuing(opened.store, NoKeys(), environment.clock)
        return _bank_document(issuing.status(info.card_id))


def _bank_document(status: PurseStatus) -> dict[str, Any]:
    return {
        "account": status.purse.account.owner,
        "float_minor": status.float_minor,
        "pending_loads_minor": sum(
            load.amount_minor for load in status.loads if load.outcome is None
        ),
        "hotlisted": status.hotlisted,
    }


def _facts(document: dict[str, Any], info: CardInfo) -> list[tuple[str, str]]:
    facts = [
        ("Card", f"{document['kind']} card in '{document['reader']}'"),
        ("State", document["state"]),
    ]
    if info.state is CardState.INITIALISED:
        return [*facts, ("Chip serial", document["serial"])]
    valid = "" if document["valid_today"] else " (NOT VALID TODAY)"
    facts += [
        ("Number", document["card"]),
        ("Holder", document["holder"]),
        ("Valid", f"{document['valid_from']} to {document['expiry']}{valid}"),
    ]
    currency = _currency(info)

    def amount(name: str, source: dict[str, Any] = document) -> str:
        return f"{format_amount(source[name], currency)} {currency}"

    if info.role is Role.CUSTOMS:
        payments = f"{document['batch_payments']} payments"
        return [
            *facts,
            ("Not collected", amount("uncollected_minor")),
            (
                f"Batch {document['batch']}",
                f"{payments}, {amount('batch_sum_minor')}",
            ),
            ("Batches waiting", str(document["waiting_batches"])),
            ("Outcome open", str(document["open_records"])),
        ]
    facts += [
        ("Holds", amount("balance_minor")),
        ("May hold", amount("balance_limit_minor")),
        ("Per payment", amount("payment_limit_minor")),
        ("PIN tries left", str(document["pin_tries_left"])),
    ]
    if "bank" in document:
        facts += _bank_facts(document["bank"], amount)
    return facts


def _bank_facts(view: dict[str, Any] | None, amount: Any) -> list[tuple[str, str]]:
    if view is None:
        return [("At the bank", "not issued by this bank")]
    facts = [
        ("Account", view["account"]),
        ("Float at the bank", amount("float_minor", view)),
    ]
    if view["pending_loads_minor"]:
        pending = amount("pending_loads_minor", view)
        facts.append(("To be settled", f"{pending}: raseed-card recover"))
    if view["hotlisted"] is not None:
        facts.append(("Hotlist", view["hotlisted"]))
    return facts
