"""Every word that reaches a screen comes from the catalogue."""

from __future__ import annotations

import ast
import gettext
import re
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from babel.messages.extract import extract_from_dir
from babel.messages.pofile import read_po

from terminal.catalogue import CATALOGUE, SOURCE_LANGUAGE, Catalogue, plain, tr, trn
from tests.terminal.screens.conftest import (
    CARD,
    COLLECTED,
    DECLARATION,
    MERCHANT,
    NO_CARD,
    FakeCounter,
    interrupted_payment,
    order,
    paid,
    picture,
    purse,
    sitting,
    unknown,
    waiting_batch,
)

if TYPE_CHECKING:
    from collections.abc import Iterator

ROOT = Path(__file__).parents[3]
TEMPLATE = ROOT / "terminal" / "locale" / "raseed.pot"
KEYWORDS = {"tr": None, "trn": (1, 2), "msgid": None}
SHOWN = sorted(
    path
    for path in (ROOT / "terminal").rglob("*.py")
    if path.parent.name in {"screens", "widgets"} or path.name == "app.py"
)
# A sentence has a capital with small letters after it, or three words in a row.
SENTENCE = re.compile(r"\b[A-Z][a-z]{2,}|[a-z]{2,} [a-z]{2,} [a-z]{2,}")
TRANSLATING = frozenset({"tr", "trn", "msgid"})
# Names for the type checker, never shown.
NAMING = frozenset({"TypeVar", "cast"})


def sentences_of_the_source() -> set[str]:
    methods = [("**.py", "python")]
    found = extract_from_dir(ROOT / "terminal", methods, keywords=KEYWORDS)
    singular = set()
    for _, _, message, _, _ in found:
        singular.add(message if isinstance(message, str) else message[0])
    return singular


def test_the_template_holds_exactly_the_sentences_of_the_source() -> None:
    """See terminal/catalogue.py for the command that writes the template."""
    with TEMPLATE.open("rb") as file:
        template = read_po(file)
    listed = {
        message.id if isinstance(message.id, str) else message.id[0]
        for message in template
        if message.id
    }
    assert listed == sentences_of_the_source()


def untranslated(tree: ast.AST) -> Iterator[str]:
    """String constants that look like sentences and are in no translating call."""
    if isinstance(tree, ast.Call) and _name(tree.func) in TRANSLATING | NAMING:
        return
    if isinstance(tree, ast.Raise | ast.Assert):
        return  # for developers, not for clerks
    for child in ast.iter_child_nodes(tree):
        if isinstance(child, ast.Expr) and isinstance(child.value, ast.Constant):
            continue  # a docstring
        if isinstance(child, ast.Constant) and isinstance(child.value, str):
            if SENTENCE.search(child.value):
                yield child.value
        else:
            yield from untranslated(child)


def _name(function: ast.expr) -> str:
    return function.id if isinstance(function, ast.Name) else ""


@pytest.mark.parametrize("path", SHOWN, ids=lambda path: path.stem)
def test_no_sentence_is_written_past_the_catalogue(path: Path) -> None:
    assert list(untranslated(ast.parse(path.read_text()))) == []


class Pseudo(gettext.NullTranslations):
    """A language in which every letter is the same one, outside placeholders."""

    def gettext(self, message: str) -> str:
        parts = re.split(r"(\{\w+\})", message)
        return "".join(
            part if part.startswith("{") else re.sub("[A-Za-z]", "ж", part)
            for part in parts
        )

    def ngettext(self, one: str, many: str, count: int) -> str:
        return self.gettext(one if count == 1 else many)


@pytest.fixture
def pseudo() -> Iterator[None]:
    CATALOGUE.use(Pseudo(), language="xx")
    yield
    CATALOGUE.use(gettext.NullTranslations(), language=SOURCE_LANGUAGE)


def data_words() -> set[str]:
    """Words that are data, so that no translation touches them."""
    texts = [DECLARATION, CARD, MERCHANT, "OMR SOHAR T0000007", purse().holder]
    for advice in (
        NO_CARD.advice,
        paid(order()).advice,
        unknown(order()).advice,
        interrupted_payment().advice,
        COLLECTED.advice,
    ):
        texts.append(str(advice))
    texts += [progress.detail for progress in FakeCounter().progress]
    return set(re.findall("[A-Za-z]{2,}", " ".join(texts)))


@pytest.mark.usefixtures("pseudo")
async def test_a_whole_tour_shows_no_word_that_was_not_translated(
    counter: FakeCounter,
) -> None:
    counter.now_shown = picture(unsettled=(waiting_batch(),), interrupted=1)
    counter.open = [interrupted_payment()]
    counter.results.extend((paid(order()), unknown(order())))
    seen = []
    async with sitting(counter) as desk:
        for keys in (
            ["f1"],
            ["escape", "f10"],
            ["escape", "f7"],
            ["escape", "f8"],
            ["enter"],
            ["enter", "f2"],
            ["f6"],
        ):
            seen.append(desk.text)
            await desk.press(*keys)
        await desk.press("escape")
        await desk.to_card()
        seen.append(desk.text)
        for _ in range(2):
            counter.insert(purse(tries_left=1, balance_minor=1_000))
            await desk.settle()
            await desk.press(*"12", "enter")
            seen.append(desk.text)
            await desk.press(*"34", "enter")
            seen.append(desk.text)
            desk.app.go_home()
            await desk.settle()
            await desk.to_card()
    shown = set(re.findall("[A-Za-z]{2,}", " ".join(seen)))
    assert shown - data_words() == set()


def test_values_are_put_in_and_cleaned() -> None:
    assert tr("Paid: {amount}", amount="12.500\u202e OMR") == "Paid: 12.500 OMR"
    assert trn("{count} try", "{count} tries", count=1) == "1 try"
    assert trn("{count} try", "{count} tries", count=3) == "3 tries"
    assert plain("A\u2066B\x1b[2J\u200fC") == "AB[2JC"
    joined = "\u0628\u200c\u0628"  # the joiner belongs to the spelling
    assert plain(joined) == joined
    assert tr("") == ""


def test_a_language_without_a_catalogue_shows_the_source() -> None:
    catalogue = Catalogue()
    catalogue.select("tlh")
    assert catalogue.language == "tlh"
    assert catalogue.tr("Result") == "Result"
