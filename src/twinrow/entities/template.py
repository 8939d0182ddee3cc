"""Templates: what a text must look like, and which pieces of it are parts. `ORDER#{ordered_on:date}#{order_id}`

Literal text matches exactly. `{part}` is one or more characters and holds no separator, `{part*}` one or more of any
characters, `{{` and `}}` are braces; the whole text must match. Where several readings are possible (`{a}-{b}` and
`1-2-3`), the parts take as little as they can, from the left. A match takes time linear in the text: no regular
expression, no going back.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from operator import itemgetter
from typing import Final, get_args

from twinrow.entities.part import TYPES, Part, PartType
from twinrow.schema.naming import NAME_CHARACTERS_MAX, OWN_PREFIX, fold, valid_name

SEPARATOR_CHARACTERS_MAX: Final = 4

Texts = tuple[str, ...]
Match = Callable[[str], Texts | None]
"""Takes a text; gives the texts of the holes in their order, or None when the text does not match."""


@dataclass(frozen=True, slots=True)
class Hole:
    """A hole of a template: the part that it gives, and whether it takes the separator, too (`{part*}`)."""

    part: Part
    any_text: bool = False


@dataclass(frozen=True, slots=True)
class Template:
    """Literal texts and the holes between them: one literal more than holes; the first and the last may be empty."""

    literals: tuple[str, ...]
    holes: tuple[Hole, ...] = ()


def parse_template(source: str) -> Template:
    """Read a template. Raises ValueError that says what is wrong with it."""
    literals = [""]
    holes: list[Hole] = []
    at = 0
    while at < len(source):
        character = source[at]
        if source.startswith(("{{", "}}"), at):
            literals[-1] += character
            at += 2
        elif character == "}":
            raise ValueError(f"a }} without its {{ in {source!r}; write }}}} for a brace")
        elif character == "{":
            end = source.find("}", at)
            if end < 0:
                raise ValueError(f"a {{ without its }} in {source!r}; write {{{{ for a brace")
            if holes and not literals[-1]:
                raise ValueError(f"two parts without a text between them in {source!r}: nothing ends the first")
            holes.append(_hole(source[at + 1 : end], source))
            literals.append("")
            at = end + 1
        else:
            literals[-1] += character
            at += 1
    return Template(tuple(literals), tuple(holes))


def _hole(inside: str, source: str) -> Hole:
    name, colon, kind = inside.partition(":")
    any_text = name.endswith("*")
    name = name.removesuffix("*")
    found: PartType | None = next((type_name for type_name in TYPES if type_name == kind), None) if colon else "text"
    if found is None:
        raise ValueError(f"unknown type {kind!r} in {source!r}; allowed: {', '.join(get_args(PartType))}")
    check_part_name(name, source)
    return Hole(Part(name, found), any_text)


def check_part_name(name: str, source: str) -> None:
    """Raise ValueError for what is no name of a part."""
    if not name:
        raise ValueError(f"a part without a name in {source!r}")
    if "*" in name or "{" in name or name != name.strip() or not valid_name(name):
        raise ValueError(
            f"{name!r} in {source!r} is no name of a part: write 1 to {NAME_CHARACTERS_MAX} characters, no blank at "
            "the ends, no brace, and * only as the last character"
        )
    if fold(name).startswith(OWN_PREFIX):
        raise ValueError(f"part {name!r} in {source!r}: names that begin with {OWN_PREFIX} are Twinrow's own")


def render_template(template: Template, texts: Sequence[str]) -> str:
    """Return the text that has these texts in the template's holes."""
    pieces = [template.literals[0]]
    for text, literal in zip(texts, template.literals[1:], strict=True):
        pieces += (text, literal)
    return "".join(pieces)


def template_source(template: Template) -> str:
    """Return the template as the configuration has it."""
    pieces = [_escaped(template.literals[0])]
    for hole, literal in zip(template.holes, template.literals[1:], strict=True):
        kind = "" if hole.part.type == "text" else f":{hole.part.type}"
        pieces.append(f"{{{hole.part.name}{'*' if hole.any_text else ''}{kind}}}")
        pieces.append(_escaped(literal))
    return "".join(pieces)


def _escaped(literal: str) -> str:
    return literal.replace("{", "{{").replace("}", "}}")


def check_separator(separator: str) -> None:
    """Raise ValueError for what is no separator."""
    if not 1 <= len(separator) <= SEPARATOR_CHARACTERS_MAX:
        raise ValueError(f"{separator!r} is no separator: write 1 to {SEPARATOR_CHARACTERS_MAX} characters")


def matcher(template: Template, separator: str) -> Match:
    """Return the function that matches texts with a template; it is made once and called for every item."""
    if not template.holes:
        literal = template.literals[0]
        return lambda text: () if text == literal else None
    if len(template.holes) == 1:
        return _one_hole(template, separator)
    tokens = _tokens(template, separator)
    return (
        _by_tokens(tokens, template.literals[0], separator) if tokens is not None else _by_places(template, separator)
    )


def _one_hole(template: Template, separator: str) -> Match:
    first, last = template.literals
    begin, tail = len(first), len(last)
    any_text = template.holes[0].any_text

    def to_the_end(text: str) -> Texts | None:
        if text.startswith(first):
            found = text[begin:]
            if found and (any_text or separator not in found):
                return (found,)
        return None

    def between(text: str) -> Texts | None:
        end = len(text) - tail
        if end > begin and text.startswith(first) and text.endswith(last):
            found = text[begin:end]
            if any_text or separator not in found:
                return (found,)
        return None

    return between if last else to_the_end


_Token = tuple[str, str] | str
"""A literal, or the literals before and after the only hole of a token."""


def _tokens(template: Template, separator: str) -> list[_Token] | None:
    """The template cut at its separators, or None where that does not tell how it matches.

    A separator of several characters may come about where a literal meets a hole, so only a separator of a single
    character cuts template and text at the same places.
    """
    if len(separator) != 1 or any(hole.any_text for hole in template.holes):
        return None
    pieces: list[list[str | Hole]] = [[]]
    for number, literal in enumerate(template.literals):
        head, *others = literal.split(separator)
        pieces[-1].append(head)
        pieces += ([text] for text in others)
        if number < len(template.holes):
            pieces[-1].append(template.holes[number])
    tokens: list[_Token] = []
    for parts in pieces:
        if len(parts) > 3:
            return None
        texts = [piece for piece in parts if isinstance(piece, str)]
        tokens.append((texts[0], texts[1]) if len(parts) == 3 else texts[0])
    return tokens


def _by_tokens(tokens: Sequence[_Token], opening: str, separator: str) -> Match:
    """`opening` is the template's first literal: a text that begins so has the tokens that stand in it."""
    count = len(tokens)
    known = opening.count(separator)
    fixed = [(n, token) for n, token in enumerate(tokens) if n >= known and isinstance(token, str)]
    holes = [(n, *token) for n, token in enumerate(tokens) if not isinstance(token, str)]
    bare = not any(first or last for _, first, last in holes)
    take = itemgetter(*(n for n, _, _ in holes))

    def match(text: str) -> Texts | None:
        if not text.startswith(opening):
            return None
        pieces = text.split(separator, count)
        if len(pieces) != count:
            return None
        for n, literal in fixed:
            if pieces[n] != literal:
                return None
        texts = []
        for n, first, last in holes:
            piece = pieces[n]
            begin, end = len(first), len(piece) - len(last)
            if end <= begin or not piece.startswith(first) or not piece.endswith(last):
                return None
            texts.append(piece[begin:end])
        return tuple(texts)

    # The usual template, holes between separators; it is called for every item, so it has a function of its own.
    def match_bare(text: str) -> Texts | None:
        if not text.startswith(opening):
            return None
        pieces = text.split(separator, count)
        if len(pieces) != count:
            return None
        for n, literal in fixed:
            if pieces[n] != literal:
                return None
        found: Texts = take(pieces)
        return None if "" in found else found

    return match_bare if bare else match


def _by_places(template: Template, separator: str) -> Match:
    """For every template: first where each literal may stand, from the right, then the parts, from the left."""
    first, *middle, last = template.literals
    holes = template.holes

    def match(text: str) -> Texts | None:
        begin, end = len(first), len(text) - len(last)
        if end <= begin or not text.startswith(first) or not text.endswith(last):
            return None
        walls = _places(text, separator)
        ends = [[end]]
        for literal, hole in zip(reversed(middle), reversed(holes[1:]), strict=True):
            places = _places(text, literal)
            reached = _reaching(places, len(literal), ends[-1], [] if hole.any_text else walls, len(separator))
            if not reached:
                return None
            ends.append(reached)
        ends.reverse()
        texts = []
        for n, hole in enumerate(holes):
            stop = next((end for end in ends[n] if end > begin), None)
            if stop is None or (not hole.any_text and separator in text[begin:stop]):
                return None
            texts.append(text[begin:stop])
            begin = stop + (len(middle[n]) if n < len(middle) else 0)
        return tuple(texts)

    return match


def _places(text: str, wanted: str) -> list[int]:
    """Where a text that is not empty stands in another, also where it overlaps itself."""
    places = []
    at = text.find(wanted)
    while at >= 0:
        places.append(at)
        at = text.find(wanted, at + 1)
    return places


def _reaching(places: list[int], width: int, ends: list[int], walls: list[int], wall_width: int) -> list[int]:
    """The places of a literal from which the hole behind it reaches one of `ends` without a wall on the way."""
    found = []
    end, wall = len(ends), len(walls)
    for place in reversed(places):
        begin = place + width
        while end and ends[end - 1] > begin:
            end -= 1
        while wall and walls[wall - 1] >= begin:
            wall -= 1
        if end == len(ends) or (wall < len(walls) and walls[wall] + wall_width <= ends[end]):
            continue
        found.append(place)
    found.reverse()
    return found
