"""What the clerk typed, made into an order that may be paid."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from settlement.errors import AmountError, DeclarationError
from settlement.money import parse_amount
from settlement.payment import PaymentDetails
from terminal.errors import InputError, InputField
from terminal.orders import PaymentOrder
from terminal.wording import amount_message, declaration_message

if TYPE_CHECKING:
    from settlement.money import Money
    from settlement.payment import DeclarationFormat, PaymentKind
    from terminal.config import TerminalConfig
    from terminal.download_shelf import Shelf

__all__ = ["OrderCheck"]


class OrderCheck:
    """The rules that an order keeps at this counter."""

    def __init__(self, config: TerminalConfig, shelf: Shelf) -> None:
        """Take the rules of ``config``, and those of the bank on ``shelf``."""
        self._clerk = config.terminal.clerk
        self._own_limit: Money = config.limit
        self._shelf = shelf
        self._declarations: DeclarationFormat = config.declaration_format

    @property
    def limit(self) -> Money:
        """The largest payment here: this counter's limit or the bank's, if less."""
        own = self._own_limit
        most_minor = self._shelf.parameters.payment_limit_minor
        if most_minor is None or most_minor >= own.amount_minor:
            return own
        return replace(own, amount_minor=most_minor)

    def order(
        self, declaration_text: str, amount_text: str, kind: PaymentKind
    ) -> PaymentOrder:
        """See `CounterService.check_order`."""
        details = PaymentDetails(
            declaration=self._declaration(declaration_text),
            kind=kind,
            clerk=self._clerk,
        )
        return PaymentOrder(details=details, amount=self._amount(amount_text))

    def _declaration(self, text: str) -> str:
        try:
            return self._declarations.check(text)
        except DeclarationError as error:
            message = declaration_message(error)
            raise InputError(InputField.DECLARATION, message) from None

    def _amount(self, text: str) -> Money:
        limit = self.limit
        try:
            return parse_amount(text, limit.currency, max_minor=limit.amount_minor)
        except AmountError as error:
            message = amount_message(error, limit)
            raise InputError(InputField.AMOUNT, message) from None
