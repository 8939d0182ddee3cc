"""One contract for every capture kind of the registry, without servers."""

from __future__ import annotations

import subprocess
import sys
from dataclasses import fields
from typing import get_args

import pytest

from twinrow import capture_kind, config
from twinrow.capture_kind import KINDS, SCANNED, Traits, traits_of
from twinrow.config import TableConfig
from twinrow.errors import ConfigError

EVERY_KIND = pytest.mark.parametrize("name", KINDS)
START = '[mysql]\nurl = "mysql://u:p@127.0.0.1/d"\n[[tables]]\nname = "reviews"\n'


def test_the_configuration_takes_the_kinds_of_the_registry() -> None:
    assert get_args(config.Capture) == tuple(KINDS)


def test_a_kind_that_is_not_used_is_not_imported() -> None:
    """Nor is botocore: `twinrow status` reads the configuration, too."""
    program = (
        f"import sys; from twinrow.config import parse; parse({START!r} + 'capture = \"scan\"'); "
        "print([name for name in sys.modules if name.startswith(('twinrow.kinds.', 'botocore', 'twinrow.sync'))])"
    )
    told = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True).stdout
    assert told.strip() == "['twinrow.kinds.scan']"


def test_a_kind_that_is_none_is_named() -> None:
    with pytest.raises(ValueError, match=r"'carrier-pigeon'.*pending-index, stream, scan"):
        traits_of("carrier-pigeon")


@EVERY_KIND
def test_what_a_kind_says_of_itself_holds_together(name: str) -> None:
    traits = traits_of(name)
    assert isinstance(traits, Traits)
    assert bool(traits.origin) != traits.passes_only, "only a source of its own makes changes of its own"
    assert traits.origin not in (SCANNED, "RECHECK"), "these are the engine's"
    assert traits.retention_s is None or traits.retention_s > 0
    assert not (traits.passes_only and traits.reconcile_every is None), "without a pace nothing would be read"
    assert traits.tells_deletes or traits.unseen or traits.passes_only, "a person is told what is not seen"
    assert not traits.carries_marks or traits.part is not None, "marks are configured"


@EVERY_KIND
def test_a_kind_asks_for_the_part_of_the_configuration_that_it_needs(name: str) -> None:
    part = traits_of(name).part
    if part is None:
        (table,) = config.parse(f'{START}capture = "{name}"').tables
        assert getattr(table, "pending_index") is None  # noqa: B009
        return
    with pytest.raises(ConfigError, match=rf"`capture` is {name}, but there is no \[tables.{part}\]"):
        config.parse(f'{START}capture = "{name}"')


@pytest.mark.parametrize(
    ("name", "linked", "reconcile_s"), [("pending-index", True, None), ("stream", False, None), ("scan", False, 900.0)]
)
def test_defaults_are_the_kinds(name: config.Capture, linked: bool, reconcile_s: float | None) -> None:
    table = TableConfig(name="reviews", capture=name)
    assert (table.linked, table.reconcile_s) == (linked, reconcile_s)


def test_every_trait_tells_two_kinds_apart_or_is_met_by_a_toy() -> None:
    """A trait that is the same in all kinds is one that nothing proves."""
    same = {one.name for one in fields(Traits) if len({getattr(traits_of(name), one.name) for name in KINDS}) == 1}
    assert same <= {"in_order"}


@pytest.mark.parametrize("origin", [SCANNED, "RECHECK", "STREAM", "PENDING"])
def test_records_and_images_are_told_apart(origin: str) -> None:
    """A record tells one write and may be old; an image shows an item as it was found; a recheck is neither."""
    found = {name: (traits_of(name).is_record(origin), traits_of(name).is_image(origin)) for name in KINDS}
    neither, record, image = (False, False), (True, False), (False, True)
    assert found == {
        "pending-index": {SCANNED: image, "PENDING": image}.get(origin, neither),
        "stream": {SCANNED: image, "STREAM": record}.get(origin, neither),
        "scan": {SCANNED: image}.get(origin, neither),
    }


def test_the_registry_names_modules_with_a_kind() -> None:
    assert all(capture_kind.load(name) is capture_kind.load(name) for name in KINDS)
