"""Every word the counter shows is looked up here.

The program text holds the English sentence itself, GNU gettext's way; a
translation is one more file under ``terminal/locale`` and nothing else. The
template of all sentences is ``terminal/locale/raseed.pot``, which a test keeps
equal to what the source says; ``make catalogue`` renews it.

Numbers, dates, amounts and names go in as ``{placeholders}``, never by joining
pieces of sentences: word order differs between languages. Translators get the
whole sentence, and the values are cleaned of invisible direction marks, because
U+202E inside a holder's name would show an amount of 12.500 as 005.21.
"""

from __future__ import annotations

import gettext
import unicodedata
from pathlib import Path

DOMAIN = "raseed"
LOCALE_DIRECTORY = Path(__file__).parent / "locale"
SOURCE_LANGUAGE = "en"

# Left and right marks, embeddings, overrides and isolates. They are Unicode
# format characters (category Cf) and so also fall to the rule in `plain`, but
# naming them tells the reader which attack that rule is about.
DIRECTION_MARKS = frozenset("\u061c\u200e\u200f\u202a\u202b\u202c\u202d\u202e") | (
    frozenset("\u2066\u2067\u2068\u2069")
)
# Joiners are format characters too, but Persian and Urdu spelling needs them.
_HARMLESS_FORMATS = frozenset("\u200c\u200d")


class Catalogue:
    """The sentences of one language; English when there is no translation."""

    def __init__(self) -> None:
        self.language = SOURCE_LANGUAGE
        self._translations = gettext.NullTranslations()

    def select(
        self, language: str, *, directory: Path = LOCALE_DIRECTORY
    ) -> gettext.NullTranslations:
        """Use a language from now on, in every thread.

        Args:
            language: ISO 639 code. A language without a compiled file under
                `directory` shows the English source.
            directory: where ``<language>/LC_MESSAGES/raseed.mo`` is looked for.

        Returns:
            The translations now in use.
        """
        self._translations = gettext.translation(
            DOMAIN, localedir=str(directory), languages=[language], fallback=True
        )
        self.language = language
        return self._translations

    def use(self, translations: gettext.NullTranslations, *, language: str) -> None:
        """Use translations made elsewhere (a test's, a trainer's)."""
        self._translations = translations
        self.language = language

    def tr(self, message: str, /, **values: object) -> str:
        """Translate one sentence and put the values in.

        Args:
            message: the English sentence, with ``{name}`` for each value.
            values: what the placeholders stand for; shown as `plain` text.

        Returns:
            The sentence in the language in use.
        """
        # The empty sentence is where gettext keeps a catalogue's own description.
        text = self._translations.gettext(message) if message else ""
        return _filled(text, values)

    def trn(self, one: str, many: str, /, *, count: int, **values: object) -> str:
        """Translate a sentence whose form depends on a number.

        Args:
            one: the English sentence for one.
            many: the English sentence for every other number; a translation
                may have up to six forms (Arabic does).
            count: the number; also the placeholder ``{count}``.
            values: the other placeholders.

        Returns:
            The right form in the language in use.
        """
        text = self._translations.ngettext(one, many, count)
        return _filled(text, {"count": count, **values})


def plain(text: str) -> str:
    r"""Outside text made safe to show: no controls, no direction marks.

    >>> plain("ALI\u202e\x1b[31m TRADING")
    'ALI[31m TRADING'
    """
    return "".join(char for char in text if _is_harmless(char))


def msgid(message: str, /) -> str:
    """Mark a sentence for translators where `tr` cannot be called yet.

    A class body or a table runs before the language is known; it holds the
    English sentence marked with this, and whoever shows it calls `tr`.
    """
    return message


def _is_harmless(char: str) -> bool:
    if char in DIRECTION_MARKS:
        return False
    if char in _HARMLESS_FORMATS:
        return True
    return char == "\n" or unicodedata.category(char) not in {"Cc", "Cf", "Cs", "Co"}


def _filled(text: str, values: dict[str, object]) -> str:
    if not values:
        return text
    return text.format(**{name: _shown(value) for name, value in values.items()})


def _shown(value: object) -> object:
    return plain(value) if isinstance(value, str) else value


# One process shows one language at a time, so there is one catalogue.
CATALOGUE = Catalogue()
tr = CATALOGUE.tr
trn = CATALOGUE.trn
