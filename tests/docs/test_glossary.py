"""The glossary's terms are in use, and the words that it replaces stand in no page for users."""

from __future__ import annotations

import re
from functools import cache
from pathlib import Path
from typing import Final

import pytest

REPOSITORY: Final = Path(__file__).parents[2]
GLOSSARY: Final = "docs/glossary.md"
NOT_FOR_USERS: Final = {GLOSSARY, "CHANGELOG.md"}
"""The glossary names the words; the changelog also says how things were before."""
LINKED_FROM: Final = ("README.md", "docs/architecture.md", "CONTRIBUTING.md")


def _rows(text: str) -> list[tuple[str, str, str]]:
    """Term, meaning, and the words that are not to be used, of each line of a table."""
    return re.findall(r"^\| \*\*(.+?)\*\* \| (.+?) \|(?: (.*?))? ?\|$", text, re.MULTILINE)


def words_in(text: str, words: list[str]) -> list[str]:
    """The words (also in the plural) that stand in a text, read without line breaks."""
    flowing = " ".join(text.split())
    return [word for word in words if re.search(rf"\b{re.escape(word)}s?\b", flowing, re.IGNORECASE)]


@cache
def _entries() -> list[tuple[str, str, str]]:
    return _rows((REPOSITORY / GLOSSARY).read_text(encoding="utf-8"))


@cache
def _pages() -> dict[str, str]:
    pages = [REPOSITORY / "README.md", REPOSITORY / "CONTRIBUTING.md", *sorted((REPOSITORY / "docs").rglob("*.md"))]
    texts = {str(path.relative_to(REPOSITORY)): path.read_text(encoding="utf-8") for path in pages}
    return {page: text for page, text in texts.items() if page not in NOT_FOR_USERS}


@cache
def _sources() -> list[str]:
    return [path.read_text(encoding="utf-8") for path in sorted((REPOSITORY / "src").rglob("*.py"))]


def _terms() -> list[str]:
    return [term.removeprefix("to ") for term, _, _ in _entries()]


def test_the_glossary_has_its_terms() -> None:
    assert len(_entries()) == (REPOSITORY / GLOSSARY).read_text(encoding="utf-8").count("\n| **")
    assert {"checkpoint", "outbox", "fence", "pending link", "dead letter", "tombstone", "gap"} <= set(_terms())
    assert len(set(_terms())) == len(_terms()), "one word has two meanings"


def test_no_term_is_a_word_that_is_replaced() -> None:
    banned = [word for _, _, words in _entries() for word in re.findall(r"`(.+?)`", words)]
    assert banned
    assert not set(banned) & set(_terms())


@pytest.mark.parametrize("term", _terms())
def test_each_term_is_used(term: str) -> None:
    used = re.compile(rf"\b{term.replace(' ', '[ _]')}(?:s|d|ed)?\b", re.IGNORECASE)
    assert any(used.search(text) for text in (*_sources(), *_pages().values())), f"nothing uses {term!r}"


@pytest.mark.parametrize("page", _pages())
def test_no_page_uses_a_word_that_the_glossary_replaces(page: str) -> None:
    banned = [word for _, _, words in _entries() for word in re.findall(r"`(.+?)`", words)]
    assert not words_in(_pages()[page], banned), "see docs/glossary.md"


@pytest.mark.parametrize("page", LINKED_FROM)
def test_the_glossary_is_linked(page: str) -> None:
    assert "glossary.md)" in (REPOSITORY / page).read_text(encoding="utf-8")


def test_a_banned_word_is_seen_across_a_line_break_and_in_the_plural() -> None:
    assert words_in("it pays\na debt", ["pays a", "debt"]) == ["pays a", "debt"]
    assert words_in("two Debts gone\nback", ["gone back", "debt"]) == ["gone back", "debt"]
    assert _rows("| **a** | b | `c` |\n| **d** | e | |\n") == [("a", "b", "`c`"), ("d", "e", "")]
