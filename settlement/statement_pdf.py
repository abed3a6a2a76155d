"""A statement on paper: A4, paginated, in DejaVu Sans, the same bytes every time.

The page is drawn cell by cell (fpdf2 with HarfBuzz shaping, which joins Arabic letters
and orders them from right to left). Every number, date and amount is set as a text of
its own, so that Arabic around it cannot turn it. Nothing here reads a clock or the
database: the same statement always gives the same file.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, assert_never

from settlement.errors import StatementError
from settlement.ledger import AccountKind, EntryKind
from settlement.money import format_amount

if TYPE_CHECKING:
    from datetime import datetime

    from fpdf import FPDF

    from settlement.statement import PaymentOnStatement, Statement, StatementEntry

__all__ = ["FONT_DIRECTORY", "statement_pdf"]

FONT_DIRECTORY: Final = Path("/usr/share/fonts/truetype/dejavu")
"""Where Debian's fonts-dejavu-core puts its files."""

# Millimetres on A4, upright.
_MARGIN: Final = 15
_WIDTH: Final = 180
_FOOTER: Final = 22
_LINE: Final = 4
_NAME_SIZE: Final = 15
_NAME_SIZE_MIN: Final = 7
"""Points; a long name of a bank is set smaller before it is cut."""
_INK: Final = (33, 37, 41)
_GREY: Final = (108, 117, 125)
_RULE: Final = (206, 212, 218)
_BAND: Final = (241, 243, 245)
_ACCENT: Final = (11, 79, 108)

_COLUMNS: Final = (
    ("No.", 9, "R"),
    ("Date, time", 24, "L"),
    ("Declaration, kind", 52, "L"),
    ("Card, terminal", 33, "L"),
    ("Reference, approval", 32, "L"),
    ("Amount", 30, "R"),
)

_ACCOUNT_NAMES: Final = {
    AccountKind.CUSTOMER: "Current account",
    AccountKind.PURSE_FLOAT: "Card float",
    AccountKind.REVENUE: "Customs revenue (fees)",
    AccountKind.DEPOSITS: "Customs deposits (refundable)",
    AccountKind.MERCHANT: "Purchases",
    AccountKind.FEES: "Bank fees",
    AccountKind.SUSPENSE: "Suspense",
    AccountKind.CLEARING: "Core-bank clearing",
}
_ENTRY_NAMES: Final = {
    EntryKind.OPENING: "Opening deposit",
    EntryKind.DEPOSIT: "Deposit",
    EntryKind.LOAD: "Card load",
    EntryKind.LOAD_REVERSAL: "Card load reversed",
    EntryKind.PAYMENT: "Payment",
    EntryKind.CORRECTION: "Correction",
    EntryKind.DEPOSIT_REFUND: "Deposit given back",
    EntryKind.DEPOSIT_FORFEITURE: "Deposit forfeited",
    EntryKind.FEE: "Bank fee",
    EntryKind.FEE_REVERSAL: "Bank fee given back",
    EntryKind.SUSPENSE: "Out of suspense",
}


def statement_pdf(statement: Statement, fonts: Path = FONT_DIRECTORY) -> bytes:
    """Draw a statement.

    Args:
        statement: as it was issued.
        fonts: folder with DejaVuSans.ttf and DejaVuSans-Bold.ttf.

    Raises:
        StatementError: the fonts are not installed; nothing was drawn.
    """
    for name in ("DejaVuSans.ttf", "DejaVuSans-Bold.ttf"):
        if not (fonts / name).is_file():
            message = (
                f"the font {fonts / name} is missing: install the Debian package "
                "fonts-dejavu-core. The statement is issued and can be drawn later"
            )
            raise StatementError(message)
    pdf = _new_document(statement, fonts)
    pdf.add_page()
    _draw_summary(pdf, statement)
    _draw_table_head(pdf)
    _draw_balance(pdf, statement, "Opening balance", statement.opening_minor)
    for entry in statement.entries:
        _draw_entry(pdf, statement, entry)
    _draw_balance(pdf, statement, "Closing balance", statement.closing_minor)
    _draw_totals(pdf, statement)
    return bytes(pdf.output())


def _new_document(statement: Statement, fonts: Path) -> FPDF:
    # Half a second to import, and nothing else in the bank needs it.
    from fpdf import FPDF  # noqa: PLC0415

    class StatementPages(FPDF):
        """Pages with the bank's head and a foot that counts them."""

        def header(self) -> None:
            _draw_head(self, statement)

        def footer(self) -> None:
            _draw_foot(self, statement)

    pdf = StatementPages(format="A4", unit="mm")
    pdf.set_margins(_MARGIN, _MARGIN, _MARGIN)
    pdf.set_auto_page_break(auto=False)
    pdf.add_font("DejaVu", "", str(fonts / "DejaVuSans.ttf"))
    pdf.add_font("DejaVu", "B", str(fonts / "DejaVuSans-Bold.ttf"))
    pdf.set_text_shaping(use_shaping_engine=True)
    pdf.set_title(f"Statement {statement.number}, {statement.owner}")
    pdf.set_author(statement.bank.name)
    pdf.set_creator("Raseed")
    pdf.set_producer("Raseed")
    pdf.set_lang("en")
    pdf.set_creation_date(statement.issued_at)
    return pdf


def _draw_head(pdf: FPDF, statement: Statement) -> None:
    bank = statement.bank
    pdf.set_y(_MARGIN - 3)
    for name, align in ((bank.name, "L"), (bank.arabic_name, "R")):
        _ink(pdf, _ACCENT, "B", _NAME_SIZE)
        while pdf.font_size_pt > _NAME_SIZE_MIN and (
            pdf.get_string_width(name) > _WIDTH / 2 - 4
        ):
            pdf.set_font_size(pdf.font_size_pt - 1)
        pdf.cell(_WIDTH / 2, 8, _fit(pdf, name, _WIDTH / 2 - 4), align=align)
    pdf.ln(8)
    _ink(pdf, _GREY, "", 8)
    pdf.cell(_WIDTH / 2, 4, _fit(pdf, bank.address, _WIDTH / 2))
    pdf.cell(_WIDTH / 2, 4, "Statement of account · كشف حساب", align="R")
    pdf.ln(6)
    _rule(pdf, _ACCENT, 0.8)
    pdf.ln(4)


def _draw_foot(pdf: FPDF, statement: Statement) -> None:
    pdf.set_y(-_FOOTER + 6)
    _rule(pdf, _RULE, 0.2)
    pdf.ln(2)
    _ink(pdf, _GREY, "", 6.5)
    pdf.cell(_WIDTH - 40, 3.5, f"SHA-256 {statement.digest.hex()}")
    _ink(pdf, _GREY, "", 7.5)
    # How wide the number of pages is shows only at the end: it stands on the left of
    # a cell of its own.
    pdf.cell(37, 3.5, f"Page {pdf.page_no()} of", align="R")
    pdf.set_x(pdf.get_x() - 1)
    pdf.cell(4, 3.5, "{nb}")
    pdf.ln(3.5)
    _ink(pdf, _GREY, "", 6.5)
    said = (
        f"Statement {statement.number} of {statement.bank.name}, issued "
        f"{_moment(statement, statement.issued_at)}. Kept under this digest."
    )
    pdf.cell(_WIDTH, 3.5, said)


def _draw_summary(pdf: FPDF, statement: Statement) -> None:
    """Whose account, which period, and the four sums, above the entries."""
    top = pdf.get_y()
    left = [
        _owner(statement),
        ("Account", _ACCOUNT_NAMES[statement.account_kind]),
        ("Account name", statement.account_name),
        ("Currency", f"{statement.currency.code}, {statement.currency.name}"),
    ]
    right = [
        ("Statement No.", str(statement.number)),
        ("From", f"{statement.first_day:%d.%m.%Y}"),
        ("To", f"{statement.last_day:%d.%m.%Y}"),
        ("Issued", _moment(statement, statement.issued_at)),
    ]
    _draw_facts(pdf, _MARGIN, top, 28, left)
    _draw_facts(pdf, _MARGIN + 112, top, 26, right)
    pdf.set_xy(_MARGIN, top + 5.5 * len(left) + 3)
    _draw_sums(pdf, statement)


def _draw_facts(
    pdf: FPDF, x: int, top: Any, width: int, facts: list[tuple[str, str]]
) -> None:
    for row, (name, value) in enumerate(facts):
        pdf.set_xy(x, top + 5.5 * row)
        _ink(pdf, _GREY, "", 8)
        pdf.cell(width, 5.5, name)
        _ink(pdf, _INK, "B", 9)
        pdf.cell(70, 5.5, _fit(pdf, value, 76 if x == _MARGIN else 42))


def _draw_sums(pdf: FPDF, statement: Statement) -> None:
    sums = (
        ("Opening balance", statement.opening_minor),
        ("Debits", statement.debits_minor),
        ("Credits", statement.credits_minor),
        ("Closing balance", statement.closing_minor),
    )
    top, width = pdf.get_y(), _WIDTH / len(sums)
    pdf.set_fill_color(*_BAND)
    pdf.rect(_MARGIN, top, _WIDTH, 14, style="F")
    for column, (name, amount_minor) in enumerate(sums):
        pdf.set_xy(_MARGIN + column * width + 3, top + 2)
        _ink(pdf, _GREY, "", 7.5)
        pdf.cell(width - 6, 4, name)
        pdf.set_xy(_MARGIN + column * width + 3, top + 6.5)
        _ink(pdf, _ACCENT if column == len(sums) - 1 else _INK, "B", 10)
        amount = format_amount(amount_minor, statement.currency)
        pdf.cell(width - 6, 5, f"{amount} {statement.currency.code}")
    pdf.set_xy(_MARGIN, top + 19)


def _draw_table_head(pdf: FPDF) -> None:
    pdf.set_fill_color(*_ACCENT)
    pdf.rect(_MARGIN, pdf.get_y(), _WIDTH, 6.5, style="F")
    _ink(pdf, (255, 255, 255), "B", 7.5)
    pdf.set_x(_MARGIN)
    for title, width, align in _COLUMNS:
        pdf.cell(width, 6.5, title, align=align)
    pdf.ln(6.5)


def _draw_balance(
    pdf: FPDF, statement: Statement, title: str, balance_minor: int
) -> None:
    _room(pdf, 7)
    _ink(pdf, _INK, "B", 8)
    amount_width = _COLUMNS[-1][1]
    pdf.set_x(_MARGIN)
    pdf.cell(_COLUMNS[0][1], 7)
    pdf.cell(_WIDTH - _COLUMNS[0][1] - amount_width, 7, title)
    amount = format_amount(balance_minor, statement.currency)
    pdf.cell(amount_width, 7, amount, align="R")
    pdf.ln(7)
    _rule(pdf, _INK, 0.3)


def _draw_entry(pdf: FPDF, statement: Statement, entry: StatementEntry) -> None:
    """Two lines of cells, then the assessment's lines when they are known."""
    lines = _assessment(pdf, statement, entry.payment)
    height = 2 * _LINE + 2.4 + 3.4 * len(lines)
    _room(pdf, height)
    top = pdf.get_y()
    x = _MARGIN
    for (_, width, align), (first, second) in zip(
        _COLUMNS, _cells(statement, entry), strict=True
    ):
        pdf.set_xy(x, top + 1)
        _ink(pdf, _INK, "", 8)
        pdf.cell(width, _LINE, _fit(pdf, first, width - 2), align=align)
        pdf.set_xy(x, top + 1 + _LINE)
        _ink(pdf, _GREY, "", 7)
        pdf.cell(width, _LINE, _fit(pdf, second, width - 2), align=align)
        x += width
    _ink(pdf, _GREY, "", 6.5)
    for row, line in enumerate(lines):
        pdf.set_xy(_MARGIN + 33, top + 1 + 2 * _LINE + 3.4 * row)
        pdf.cell(_WIDTH - 33, 3.4, line)
    pdf.set_xy(_MARGIN, top + height)
    _rule(pdf, _RULE, 0.2)


def _cells(statement: Statement, entry: StatementEntry) -> tuple[tuple[str, str], ...]:
    """The upper and lower text of each column."""
    amount_minor = entry.credit_minor or entry.debit_minor
    grows = (entry.debit_minor > 0) == statement.account_kind.is_asset
    amount = format_amount(amount_minor, statement.currency)
    amount = amount if grows else f"-{amount}"
    payment = entry.payment
    moment = payment.paid_at if payment else entry.booked_at
    local = moment.astimezone(statement.zone)
    when = (f"{local:%d.%m.%Y}", f"{local:%H:%M:%S}")
    balance = format_amount(entry.balance_minor, statement.currency)
    number = (str(entry.position), "")
    if payment is None:
        what = (_ENTRY_NAMES[entry.kind], entry.memo)
        return (number, when, what, ("", ""), ("", ""), (amount, balance))
    kind = payment.kind.value.capitalize() if payment.kind else "Kind not known"
    clerk = f", clerk {payment.clerk}" if payment.clerk else ""
    held = ", in suspense" if payment.held else ""
    return (
        number,
        when,
        (payment.declaration or "Declaration not known", f"{kind}{clerk}{held}"),
        (payment.masked_card, payment.terminal_id),
        (payment.reference, payment.authorisation),
        (amount, balance),
    )


def _assessment(
    pdf: FPDF, statement: Statement, payment: PaymentOnStatement | None
) -> list[str]:
    """The lines of an assessment, in as few rows of text as they fit in."""
    if payment is None:
        return []
    rows = []
    _ink(pdf, _INK, "", 8)
    if _fit(pdf, payment.declaration, _COLUMNS[2][1] - 2) != payment.declaration:
        # The number by which customs finds the payment is never cut.
        rows.append(payment.declaration)
    _ink(pdf, _GREY, "", 6.5)
    row = ""
    for line_class, amount_minor in payment.lines:
        amount = format_amount(amount_minor, statement.currency)
        part = f"{line_class.value} {amount}"
        longer = f"{row} · {part}" if row else part
        if pdf.get_string_width(longer) > _WIDTH - 36:
            rows.append(row)
            longer = part
        row = longer
    if row:
        rows.append(row)
    return rows


def _draw_totals(pdf: FPDF, statement: Statement) -> None:
    _room(pdf, 22)
    count = len(statement.entries)
    pdf.ln(3)
    _ink(pdf, _INK, "", 8)
    currency = statement.currency
    debits = format_amount(statement.debits_minor, currency)
    credits_ = format_amount(statement.credits_minor, currency)
    counted = "1 entry" if count == 1 else f"{count} entries"
    pdf.cell(
        _WIDTH, 5, f"{counted}: debits {debits}, credits {credits_} {currency.code}."
    )
    pdf.ln(5)
    _ink(pdf, _GREY, "", 7)
    pdf.multi_cell(
        _WIDTH,
        3.8,
        "Under each amount stands the balance after it. A payment is posted on the "
        "certificate of the customer's own card; its approval is the beginning of that "
        f"certificate. Times are those of UTC{_offset(statement)}.",
    )


def _room(pdf: FPDF, height: float) -> None:
    """Begin a new page when ``height`` does not fit on this one."""
    if pdf.get_y() + height > pdf.h - _FOOTER:
        pdf.add_page()
        _draw_table_head(pdf)


def _fit(pdf: FPDF, text: str, width: float) -> str:
    """The text, cut with an ellipsis when it is wider than ``width`` millimetres.

    Invisible characters are dropped: some of them turn what stands around them, so that
    a name could show an amount backwards.
    """
    text = "".join(character for character in text if character.isprintable())
    if pdf.get_string_width(text) <= width:
        return text
    while text and pdf.get_string_width(f"{text}…") > width:
        text = text[:-1]
    return f"{text}…"


def _ink(pdf: FPDF, colour: tuple[int, int, int], style: str, size: float) -> None:
    pdf.set_text_color(*colour)
    pdf.set_font("DejaVu", "B" if style == "B" else "", size)


def _rule(pdf: FPDF, colour: tuple[int, int, int], width: float) -> None:
    pdf.set_draw_color(*colour)
    pdf.set_line_width(width)
    pdf.line(_MARGIN, pdf.get_y(), _MARGIN + _WIDTH, pdf.get_y())


def _owner(statement: Statement) -> tuple[str, str]:
    """What the owner is called, and who it is."""
    match statement.account_kind:
        case AccountKind.REVENUE | AccountKind.DEPOSITS | AccountKind.MERCHANT:
            return "Customs office", statement.owner
        case AccountKind.PURSE_FLOAT:
            return "Card", statement.owner
        case AccountKind.CUSTOMER:
            return "Account No.", statement.owner
        case AccountKind.FEES | AccountKind.SUSPENSE | AccountKind.CLEARING:
            return "Held by", statement.bank.name
        case _:
            assert_never(statement.account_kind)


def _moment(statement: Statement, moment: datetime) -> str:
    return f"{moment.astimezone(statement.zone):%d.%m.%Y %H:%M}"


def _offset(statement: Statement) -> str:
    text = f"{statement.issued_at.astimezone(statement.zone):%z}"
    return f"{text[:3]}:{text[3:]}"
