"""The house is kept tidy: sizes, one definition per name, plain words, no attribute that nobody reads.

Where the tree is not there yet, a list or a number below says how far it is. Such a list may only get shorter, such a
number only smaller; a test fails when an entry is no longer needed, so that nothing comes back unseen.
"""

from __future__ import annotations

import ast
import io
import re
import statistics
import tokenize
from collections import defaultdict
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Final

SOURCES: Final = Path(__file__).resolve().parent.parent / "src" / "twinrow"

FILE_LINES_MAX: Final = 500
"""More than a reader keeps in mind at once."""
MEDIAN_LINES_MAX: Final = 200
FUNCTION_LINES_MAX: Final = 70
"""Two screens."""

ROOM_LINES_MAX: Final = 5

LARGER_FILES: Final[dict[str, int]] = {}
LARGER_FUNCTIONS: Final[dict[str, int]] = {}

CLASSES_DEFINED_TWICE: Final[frozenset[str]] = frozenset()
ALIASES_DEFINED_TWICE: Final[frozenset[str]] = frozenset()
CONSTANTS_DEFINED_TWICE: Final[frozenset[str]] = frozenset(
    {
        "DRAW_EVERY_S",
        "GIVE_UP_S_MAX",
        "KEYS_MAX",
        "ROWS_A_STATEMENT_MAX",
        "SAMPLE_ITEMS",
    }
)

WORDS_MAX: Final = {"one": 360, "told": 25, "debt": 1, "debts": 8}
"""How often a word may stand in the sources: `one` for any datum and `told` for any message hide what is meant."""

ODD_BEGINNINGS: Final = ("What", "So", "Of", "Else", "Who")
ODD_SENTENCES_MAX: Final = 36
"""Sentences of docstrings and comments that begin with one of these: a reader waits too long for their subject."""

ROOMS_THAT_SAY_LESS: Final[frozenset[str]] = frozenset()
"""Folders whose first file does not say yet what comes in and what goes out."""

NEVER_READ: Final[frozenset[str]] = frozenset(
    {
        "app/library.py:SyncFailed.synced",
        "app/observe/status.py:TableStatus.remedies",
        "app/observe/status.py:TableStatus.write_units_per_s",
        "entities/changed.py:Changed.rows_move",
        "entities/holes.py:Field.shape",
        "exports/job.py:AskedExport.manifest_key",
        "exports/job.py:Wait.until",
        "mysql_guard.py:Driver._read_timeout",
        "mysql_guard.py:Driver._write_timeout",
        "state/counted.py:Rates.write_units_per_s",
        "state/gap.py:Gap.closed_at",
        "state/gap.py:Gap.found_at",
    }
)
"""Attributes as FILE:CLASS.NAME. Those of records that are printed as JSON are read by `asdict`, those of
the driver by PyMySQL."""


@dataclass(frozen=True)
class Definition:
    """A name that a module defines, where, and as what (source text)."""

    name: str
    file: str
    value: str


@cache
def _texts() -> Mapping[str, str]:
    return {str(path.relative_to(SOURCES)): path.read_text(encoding="utf-8") for path in sorted(SOURCES.rglob("*.py"))}


@cache
def _trees() -> Mapping[str, ast.Module]:
    return {file: ast.parse(text) for file, text in _texts().items()}


def rooms_that_say_less(trees: Mapping[str, ast.Module]) -> set[str]:
    """Folders whose `__init__` does not say in five lines what is done there, what comes in and what goes out."""
    found = set()
    for file, tree in trees.items():
        folder, _, name = file.rpartition("/")
        text = ast.get_docstring(tree) or ""
        said = all(word in text for word in ("In: ", "Out: "))
        if folder and name == "__init__.py" and not (said and text.count("\n") < ROOM_LINES_MAX):
            found.add(folder)
    return found


def longer_functions(trees: Mapping[str, ast.Module], lines_max: int) -> dict[str, int]:
    """Functions of more than `lines_max` lines, as FILE:NAME, with their lines."""
    return {
        f"{file}:{node.name}": lines
        for file, tree in trees.items()
        for node in ast.walk(tree)
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)
        and (lines := (node.end_lineno or 0) - node.lineno + 1) > lines_max
    }


def classes(trees: Mapping[str, ast.Module]) -> Iterator[Definition]:
    """Every class with a public name, also within another one."""
    for file, tree in trees.items():
        for node in ast.walk(tree):
            if isinstance(node, ast.ClassDef) and not node.name.startswith("_"):
                yield Definition(node.name, file, "")


def assigned(trees: Mapping[str, ast.Module]) -> Iterator[Definition]:
    """Every name that a module assigns."""
    for file, tree in trees.items():
        for node in tree.body:
            if isinstance(node, ast.AnnAssign) and node.value is not None:
                targets: list[ast.expr] = [node.target]
            elif isinstance(node, ast.Assign):
                targets = node.targets
            else:
                continue
            for target in targets:
                if isinstance(target, ast.Name) and node.value is not None:
                    yield Definition(target.id, file, ast.unparse(node.value))


def aliases(trees: Mapping[str, ast.Module]) -> Iterator[Definition]:
    """Names of types: written like a class, and neither made by a call (TypeVar) nor a plain value."""
    for each in assigned(trees):
        if re.fullmatch(r"[A-Z][A-Za-z0-9]*[a-z][A-Za-z0-9]*", each.name) and not each.value.startswith("TypeVar("):
            yield each


def constants(trees: Mapping[str, ast.Module]) -> Iterator[Definition]:
    """Names in capitals, public or not."""
    for each in assigned(trees):
        if re.fullmatch(r"_?[A-Z][A-Z0-9_]*", each.name):
            yield each


def in_several_files(found: Iterator[Definition], *, same_value: bool = False) -> set[str]:
    """Names that more than one file defines, perhaps only those that are defined there with the same value."""
    files: defaultdict[tuple[str, str], set[str]] = defaultdict(set)
    for each in found:
        files[each.name, each.value if same_value else ""].add(each.file)
    return {name for (name, _), defining in files.items() if len(defining) > 1}


def never_read(trees: Mapping[str, ast.Module]) -> set[str]:
    """Attributes that a class declares or sets on itself, and that no code reads from whatever object."""
    read: set[str] = set()
    for tree in trees.values():
        for node in ast.walk(tree):
            if isinstance(node, ast.Attribute) and isinstance(node.ctx, ast.Load):
                read.add(node.attr)
            elif isinstance(node, ast.MatchClass):
                read.update(node.kwd_attrs)
    return {
        f"{file}:{node.name}.{name}"
        for file, tree in trees.items()
        for node in ast.walk(tree)
        if isinstance(node, ast.ClassDef)
        for name in _attributes(node)
        if name not in read
    }


def _attributes(of: ast.ClassDef) -> Iterator[str]:
    for node in of.body:
        if isinstance(node, ast.AnnAssign) and isinstance(node.target, ast.Name):
            yield node.target.id
    for inner in ast.walk(of):
        if (
            isinstance(inner, ast.Attribute)
            and isinstance(inner.ctx, ast.Store)
            and isinstance(inner.value, ast.Name)
            and inner.value.id == "self"
        ):
            yield inner.attr


def words(texts: Mapping[str, str], word: str) -> int:
    """How often a word stands in the texts, in prose and as a name of its own."""
    return sum(len(re.findall(rf"\b{word}\b", text, re.IGNORECASE)) for text in texts.values())


def odd_sentences(text: str) -> list[str]:
    """The sentences of a file's docstrings and comments that begin with a word of ODD_BEGINNINGS."""
    found = []
    beginning = re.compile(rf"(?:^(?:r?\"\"\"|#)\s*|[.:;!?]\s+|\n\n\s*)((?:{'|'.join(ODD_BEGINNINGS)})\b[^.]*)")
    for token in tokenize.generate_tokens(io.StringIO(text).readline):
        if token.type == tokenize.COMMENT or (
            token.type == tokenize.STRING and token.string.startswith(('"""', 'r"""'))
        ):
            found += [match[1] for match in beginning.finditer(token.string)]
    return found


def test_files_are_short() -> None:
    lines = {file: text.count("\n") for file, text in _texts().items()}
    too_long = {file: count for file, count in lines.items() if count > LARGER_FILES.get(file, FILE_LINES_MAX)}
    assert not too_long
    assert statistics.median(lines.values()) <= MEDIAN_LINES_MAX
    assert not [file for file in LARGER_FILES if lines.get(file, 0) <= FILE_LINES_MAX], "take them off LARGER_FILES"


def test_functions_are_short() -> None:
    longer = longer_functions(_trees(), FUNCTION_LINES_MAX)
    assert not {name: lines for name, lines in longer.items() if lines > LARGER_FUNCTIONS.get(name, 0)}
    assert LARGER_FUNCTIONS.keys() <= longer.keys(), "take those that became short off LARGER_FUNCTIONS"


def test_a_type_has_its_name_to_itself() -> None:
    twice = in_several_files(classes(_trees()))
    assert not twice - CLASSES_DEFINED_TWICE, "choose another name: a reader takes two types of one name for the same"
    assert twice >= CLASSES_DEFINED_TWICE, "take those that are defined once off CLASSES_DEFINED_TWICE"


def test_a_type_alias_is_defined_once() -> None:
    twice = in_several_files(aliases(_trees()))
    assert not twice - ALIASES_DEFINED_TWICE, "import the alias, or choose another name"
    assert twice >= ALIASES_DEFINED_TWICE, "take those that are defined once off ALIASES_DEFINED_TWICE"


def test_a_constant_of_one_name_and_value_is_defined_once() -> None:
    twice = in_several_files(constants(_trees()), same_value=True)
    assert not twice - CONSTANTS_DEFINED_TWICE, "import the constant: a change of it is forgotten in the other file"
    assert twice >= CONSTANTS_DEFINED_TWICE, "take those that are defined once off CONSTANTS_DEFINED_TWICE"


def test_a_room_says_what_is_done_there() -> None:
    less = rooms_that_say_less(_trees())
    assert not less - ROOMS_THAT_SAY_LESS, "say in its `__init__` what is done there, what comes in and goes out"
    assert less >= ROOMS_THAT_SAY_LESS, "take those that say it off ROOMS_THAT_SAY_LESS"


def test_words_that_hide_what_is_meant_become_fewer() -> None:
    assert not {word: found for word, most in WORDS_MAX.items() if (found := words(_texts(), word)) > most}


def test_sentences_that_begin_oddly_become_fewer() -> None:
    found = [f"{file}: {sentence}" for file, text in _texts().items() for sentence in odd_sentences(text)]
    assert len(found) <= ODD_SENTENCES_MAX, "begin with the subject:\n" + "\n".join(found)


def test_no_attribute_is_set_and_never_read() -> None:
    unread = never_read(_trees())
    assert not unread - NEVER_READ, "remove the attribute, or read it"
    assert unread >= NEVER_READ, "take those that are gone or read off NEVER_READ"


def test_the_measures_see_what_they_measure() -> None:
    first = (
        "Kind = str\nLIMIT_S = 1\n_X = TypeVar('X')\nclass A:\n    seen: int\n    def f(self):\n        self.gone = 1\n"
    )
    second = "Kind = int\nLIMIT_S = 1\nclass A:\n    pass\ndef g(a):\n\n    # One of them\n    return a.seen\n"
    trees = {"first.py": ast.parse(first), "second.py": ast.parse(second)}
    assert in_several_files(classes(trees)) == {"A"}
    assert in_several_files(aliases(trees)) == {"Kind"}
    assert in_several_files(aliases(trees), same_value=True) == set()
    assert in_several_files(constants(trees), same_value=True) == {"LIMIT_S"}
    assert never_read(trees) == {"first.py:A.gone"}
    assert longer_functions(trees, 3) == {"second.py:g": 4}
    said = ast.parse('"""Rows.\n\nIn: items. Out: rows.\nNot to be touched: the rows.\n"""')
    rooms = {"a/__init__.py": said, "b/__init__.py": ast.parse('"""Rows."""'), "a/b.py": ast.parse("x = 1")}
    assert rooms_that_say_less(rooms) == {"b"}
    odd = '"""What it is."""\n# A row. So it is written.\nx = "What"\n"""A row.\n\nOf these, two. It says: who."""\n'
    assert odd_sentences(odd) == ["What it is", "So it is written", "Of these, two"]
    assert words({"first.py": first, "second.py": second}, "one") == 1
