"""Made-up items of well-known single-table designs, for which no data set is kept here."""

from __future__ import annotations

import random

from twinrow.change import Item

MANY = 300


def _s(**texts: str) -> Item:
    return {name: {"S": text} for name, text in texts.items()}


def _word(chance: random.Random) -> str:
    return "".join(chance.choices("abcdefghijklmnopqrstuvwxyz", k=chance.randint(3, 9)))


def instagram(seed: int = 7) -> list[Item]:
    """Five kinds, told by prefixes of both keys and by no attribute; likes and follows are edges."""
    chance = random.Random(seed)
    users = list(dict.fromkeys(_word(chance) for _ in range(60)))
    photos = [f"1dA{n:06x}{chance.randrange(10**6)}" for n in range(80)]
    items = [_s(PK=f"USER#{u}", SK=f"USER#{u}", username=u, name=u.title()) for u in users]
    items += [
        _s(PK=f"UP#{chance.choice(users)}", SK=f"PHOTO#{p}", GSI1PK=f"PHOTO#{p}", GSI1SK=f"PHOTO#{p}", url="s3://x")
        for p in photos
    ]
    items += [
        _s(PK=f"PL#{p}", SK=f"LIKE#{u}", GSI1PK="x", GSI1SK="y")
        for p, u in {(chance.choice(photos), chance.choice(users)) for _ in range(MANY)}
    ]
    items += [
        _s(PK=f"PC#{chance.choice(photos)}", SK=f"COMMENT#2d{n}", content=_word(chance), username=chance.choice(users))
        for n in range(MANY)
    ]
    items += [
        _s(PK=f"FOLLOW#{a}", SK=f"FOLLOW#{b}", GSI1PK="x", GSI1SK="y")
        for a, b in {(chance.choice(users), chance.choice(users)) for _ in range(MANY)}
    ]
    return items


def social_network(seed: int = 7) -> list[Item]:
    """The entity stands in the suffix of the hash key; sort keys are fixed texts in quotes; edges are keys only."""
    chance = random.Random(seed)
    users = [str(10_000 + n) for n in range(60)]
    posts = [str(50_000 + n) for n in range(80)]
    items = [_s(PK=f"u#{u}", SK='"info"', name=_word(chance), content="hello") for u in users]
    items += [{**_s(PK=f"u#{u}", SK='"count"'), "follower": {"N": "3"}, "post": {"N": "2"}} for u in users]
    edges = {(chance.choice(users), chance.choice(users)) for _ in range(MANY)}
    items += [_s(PK=f"u#{a}#follower", SK=f"u#{b}") for a, b in edges]
    items += [_s(PK=f"u#{b}#following", SK=f"u#{a}") for a, b in edges]
    items += [_s(PK=f"u#{chance.choice(users)}#post", SK=f"p#{p}", content=_word(chance), imageUrl="s3") for p in posts]
    items += [_s(PK=f"p#{p}#likelist", SK=f"u#{u}") for p, u in {(chance.choice(posts), u) for u in users}]
    items += [{**_s(PK=f"p#{p}#likecount", SK='"count"'), "etc": {"N": "100"}} for p in posts]
    return items


def typedorm(seed: int = 7) -> list[Item]:
    """`__en`, both keys the same, and guards without a discriminator or any attribute."""
    chance = random.Random(seed)
    items = []
    for n in range(150):
        mail = f"{_word(chance)}{n}@example.com"
        guard = f"DRM_GEN_USER.EMAIL#{mail}"
        items.append(_s(PK=f"USER#{n}", SK=f"USER#{n}", __en="user", id=str(n), email=mail))
        items.append(_s(PK=guard, SK=guard))
        items.append(_s(PK=f"USER#{n}", SK=f"ORDER#2026-01-{n % 28 + 1:02}#{n}", __en="order", total="7"))
    return items


def toolbox(seed: int = 7) -> list[Item]:
    """`_et`, the separator `:`, and a few items from before the library that have no `_et`."""
    chance = random.Random(seed)
    items = [
        _s(PK=f"TRAINER:{n}", SK="ROOT", _et="TRAINER", _ct="2026-01-01T00:00:00.000Z", name=_word(chance))
        for n in range(80)
    ]
    items += [
        _s(PK=f"TRAINER:{n % 80}", SK=f"POKEMON:{n}", _et="POKEMON", _ct="2026-01-01T00:00:00.000Z", level="7")
        for n in range(200)
    ]
    items += [_s(PK=f"TRAINER:{n}", SK=f"BADGE:{chance.choice('abc')}{n}", won="2020") for n in range(40)]
    return items


def chat(seed: int = 7) -> list[Item]:
    """The separator `:`, which times hold, too."""
    chance = random.Random(seed)
    users = [_word(chance) for _ in range(40)]
    items = [
        _s(PK=f"User:{chance.choice(users)}", SK=f"Message:2026-01-01T10:{n % 60:02}:{n // 60:02}.000Z", Comment="x")
        for n in range(MANY)
    ]
    items += [_s(PK=f"Room:{_word(chance)}{n}", SK="meta", CreatedBy="u") for n in range(60)]
    return items
