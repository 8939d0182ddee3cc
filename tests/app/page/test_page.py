"""The page in a browser: live, equal to `status --json`, fluent with much to show, by keyboard, in light and dark."""

from __future__ import annotations

import json
import re
import time
from collections.abc import Iterator
from typing import Any

import pytest
from playwright.sync_api import Browser, Page, expect
from tests.app.page.conftest import TOKEN, Served, new_shown, serving
from tests.fixtures.shown import Shown

from twinrow.local_servers.servers import MySQLServer
from twinrow.state.counted import Rates

pytestmark = pytest.mark.slow

SEEN_MS_MAX = 8000
MANY_TABLES = 200
MANY_LETTERS = 10_000
NODES_MAX = 1500
UNKNOWN = "\N{EN DASH}"
DRAW_MS_MAX = 60.0
DESK = {"width": 1360, "height": 900}
PHONE = {"width": 390, "height": 844}


@pytest.fixture
def served(shown: Shown) -> Iterator[Served]:
    shown.add(["reviews", "orders"], rows=123_456)
    shown.add(["products"], "pending-index")
    shown.count(
        "reviews", applied={("PUT", "SCAN"): 120_000, ("PUT", "STREAM"): 3456, ("DELETE", "STREAM"): 12},
        links_paid=42, read_units=4312.5, read_units_max=1000.0, write_units=17.0, write_units_max=200.0,
        rates=Rates(puts_per_s=12.34, deletes_per_s=0.5, read_units_per_s=7.5, write_units_per_s=1.25),
    )  # fmt: skip
    shown.change("reviews", read_at=time.time() + 4)  # the time until trimming is not to run while it is compared
    shown.verify("reviews", items=123_456, rows=123_456)
    shown.park("orders", 3)
    shown.gap("orders")
    with serving(shown) as found:
        yield found


@pytest.fixture
def page(browser: Browser) -> Iterator[Page]:
    """A tab; an error in the page's own code fails its test."""
    with browser.new_context(viewport=DESK, permissions=["clipboard-read", "clipboard-write"]) as context:  # type: ignore[arg-type]
        found = context.new_page()
        found.set_default_timeout(SEEN_MS_MAX)
        expect.set_options(timeout=SEEN_MS_MAX)
        faults: list[str] = []
        found.on("pageerror", lambda error: faults.append(str(error)))
        yield found
        assert faults == []


def chosen(page: Page, served: Served, table: str) -> None:
    page.goto(f"{served.url}#/table/{table}")
    expect(page.locator("h1")).to_have_text(table)


def number(page: Page, name: str) -> Any:
    return page.locator(f'[data-number="{name}"]')


def test_live_numbers_move_without_a_reload(page: Page, served: Served) -> None:
    chosen(page, served, "reviews")
    expect(number(page, "rows")).to_have_text("123,456")
    expect(page.locator("#phase")).to_have_text("live")

    served.shown.change("reviews", rows=123_999, backlog=7)

    expect(number(page, "rows")).to_have_text("123,999")
    expect(number(page, "backlog")).to_have_text("7")


def test_every_number_is_that_of_status_json(page: Page, served: Served) -> None:
    checked = 0
    for table in ("reviews", "orders", "products"):
        chosen(page, served, table)
        expect(page.locator("#applied td, #applied th").first).to_be_visible()
        (told,) = [one for one in served.shown.status().document()["tables"] if one["table"] == table]
        shown = page.evaluate(
            "() => [...document.querySelectorAll('[data-number]')].map(n => [n.dataset.number, n.dataset.value])"
        )
        for name, value in shown:
            assert json.loads(value) == told[name], name
            checked += 1
        applied = page.evaluate(
            "() => [...document.querySelectorAll('[data-applied]')]"
            ".map(n => [n.dataset.applied, n.dataset.origin, Number(n.dataset.value)])"
        )
        counts = {(one["kind"], one["origin"]): one["count"] for one in told["applied"]}
        assert {(kind, origin): count for kind, origin, count in applied if count} == counts
        for kind in ("read", "write"):
            meter = page.locator(f'.meter[data-kind="{kind}"]')
            most, total = meter.locator(".of"), meter.locator("b")
            assert json.loads(most.get_attribute("data-value") or "") == told[f"{kind}_units_max"]
            assert json.loads(total.get_attribute("data-value") or "") == told[f"{kind}_units"]
            used = meter.locator("[data-used]").get_attribute("data-used")
            assert json.loads(used or "") == told[f"{kind}_units_per_s"]
        verified = page.evaluate(
            "() => [...document.querySelectorAll('[data-verified]')].map(n => [n.dataset.verified, n.dataset.value])"
        )
        assert bool(verified) == bool(told["verified"])
        for name, value in verified:
            assert json.loads(value) == told["verified"][name]
            checked += 1
    assert checked > 30


def test_every_trouble_comes_with_its_command_to_copy(page: Page, served: Served) -> None:
    chosen(page, served, "orders")
    trouble = page.locator(".trouble", has_text="3 items that no row can hold")

    trouble.get_by_role("button", name="Copy twinrow dead-letters retry orders").click()

    expect(trouble.get_by_role("button", name="Copy twinrow dead-letters retry orders")).to_have_text("Copied")
    assert page.evaluate("navigator.clipboard.readText()") == "twinrow dead-letters retry orders"
    expect(page.locator("#said")).to_have_text("Copied twinrow dead-letters retry orders")
    expect(page.locator("#verdict")).to_have_text("1 of 3 tables needs you")


def test_a_button_keeps_the_focus_while_what_is_said_beside_it_changes(page: Page, served: Served) -> None:
    chosen(page, served, "orders")
    button = page.get_by_role("button", name="Copy twinrow dead-letters list orders").first
    button.focus()
    served.shown.park("orders", 5)

    expect(page.locator("#troubles")).to_contain_text("8 items that no row can hold")
    expect(button).to_be_focused()


def test_a_broken_table_says_why_and_what_mends_it(page: Page, served: Served) -> None:
    chosen(page, served, "reviews")
    why = "the MySQL table lacks the column 'text' (twinrow schema reviews --apply adds it again)"

    served.shown.change("reviews", phase="BROKEN", reason=why, reason_commands='["twinrow schema reviews --apply"]')

    expect(page.locator("#phase")).to_have_text("broken")
    expect(page.locator(".trouble.bad").first).to_contain_text(why)
    expect(page.get_by_role("button", name="Copy twinrow schema reviews --apply")).to_be_visible()


def test_a_refusal_to_start_has_its_command_to_copy(page: Page, served: Served) -> None:
    chosen(page, served, "products")

    served.source.tell(
        "products", "table products: has no index 'marks' (twinrow check --fix adds it)", ("twinrow check --fix",)
    )

    expect(page.locator(".trouble.bad").first).to_contain_text("its sync ended: table products: has no index 'marks'")
    expect(page.get_by_role("button", name="Copy twinrow check --fix")).to_be_visible()


def test_an_unreadable_mysql_is_said_and_passes(page: Page, served: Served) -> None:
    chosen(page, served, "reviews")
    expect(page.locator("#live")).to_have_attribute("data-state", "live")

    with served.shown.session() as session:
        session.execute("RENAME TABLE _twinrow_lease TO away")
    expect(page.locator("#banner")).to_contain_text("_twinrow_lease")
    expect(page.locator("#live-text")).to_have_text("not live")
    expect(number(page, "rows")).to_have_text("123,456")

    with served.shown.session() as session:
        session.execute("RENAME TABLE away TO _twinrow_lease")
    expect(page.locator("#banner")).to_be_hidden()
    expect(page.locator("#live")).to_have_attribute("data-state", "live")


def test_a_stop_and_an_end_are_said(page: Page, served: Served) -> None:
    chosen(page, served, "reviews")
    served.stop.set()
    expect(page.locator("#live-text")).to_have_text("the sync is stopping")

    served.page.close()

    expect(page.locator("#live-text")).to_have_text("connection lost, trying again")
    expect(page.locator("#verdict")).to_have_text("The sync does not answer")
    expect(page).to_have_title(re.compile("Twinrow: the sync does not answer"))


def test_lag_is_plotted(page: Page, served: Served) -> None:
    at = served.shown.status()
    history = served.source.histories["reviews"]
    (one,) = [table for table in at.tables if table.table == "reviews"]
    for step in range(100):
        history.add(at.at - 3000 + 20 * step, one)
    chosen(page, served, "reviews")

    expect(page.locator("#lag-plot path.line.lag").first).to_be_attached()
    expect(page.locator("#lag-plot svg")).to_have_attribute("aria-label", "Lag: at most 0 s during the last hour")
    page.locator("#lag-plot").hover()
    expect(page.locator("#lag-plot .readout")).to_contain_text("0 s")


def test_raw_items_want_the_token(page: Page, served: Served) -> None:
    chosen(page, served, "orders")
    page.locator("#letter-rows button").first.click()
    dialog = page.locator("#letter")
    expect(dialog.locator("#letter-reason")).to_contain_text("lone surrogate")
    expect(dialog.get_by_role("button", name="Show the raw item")).to_be_hidden()

    dialog.locator("#token").fill("wrong")
    dialog.get_by_role("button", name="Use it").click()
    expect(dialog.locator("#item-trouble")).to_have_text("That is not the token of the sync that runs.")
    expect(dialog.locator("#item")).to_be_hidden()

    dialog.locator("#token").fill(TOKEN)
    dialog.get_by_role("button", name="Use it").click()
    expect(dialog.locator("#item")).to_contain_text("only with the token")


def test_the_token_of_the_address_is_kept_for_the_tab_and_taken_out(page: Page, served: Served) -> None:
    page.goto(f"{served.url}?token={TOKEN}#/table/orders")
    expect(page.locator("h1")).to_have_text("orders")
    assert page.url == f"{served.url}#/table/orders"

    page.locator("#letter-rows button").first.click()
    page.get_by_role("button", name="Show the raw item").click()

    expect(page.locator("#item")).to_contain_text("only with the token")


def test_all_by_keyboard(page: Page, served: Served) -> None:
    page.goto(served.url)
    expect(page.locator("#table-rows li")).to_have_count(3)

    page.keyboard.press("Tab")
    expect(page.locator(".skip")).to_be_focused()
    page.locator("#table-rows a").first.focus()
    page.keyboard.press("ArrowDown")
    expect(page.locator("#table-rows a", has_text="products")).to_be_focused()
    page.keyboard.press("ArrowUp")
    expect(page.locator("#table-rows a", has_text="orders")).to_be_focused()
    page.keyboard.press("Enter")
    expect(page.locator("h1")).to_have_text("orders")
    expect(page.locator("#detail")).to_be_focused()

    page.locator("#letter-rows button").first.focus()
    page.keyboard.press("End")
    expect(page.locator("#letter-rows button").last).to_be_focused()
    page.keyboard.press("Enter")
    expect(page.locator("#letter")).to_be_visible()
    page.keyboard.press("Escape")
    expect(page.locator("#letter")).to_be_hidden()
    unnamed = page.evaluate(
        "() => [...document.querySelectorAll('button, a, input')]"
        ".filter(n => !(n.innerText || n.value || n.getAttribute('aria-label') || n.labels?.length || n.hidden"
        " || n.offsetParent === null)).map(n => n.outerHTML)"
    )
    assert unnamed == []


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_text_can_be_read_in_light_and_dark(browser: Browser, served: Served, scheme: Any) -> None:
    with browser.new_context(color_scheme=scheme, viewport=DESK) as context:  # type: ignore[arg-type]
        page = context.new_page()
        chosen(page, served, "orders")
        expect(page.locator("#columns tr").first).to_be_visible()
        for place in ("h1", ".fact dt", ".path", ".trouble.bad p", "#phase", "#verdict", ".copy", ".tick", ".aside"):
            assert contrast(page, place) >= 4.5, place


def contrast(page: Page, place: str) -> float:
    """The contrast of a text with what is behind it, as WCAG reckons it."""
    return float(
        page.evaluate(
            """(place) => {
              const context = Object.assign(document.createElement('canvas'), {width: 1, height: 1})
                .getContext('2d', {willReadFrequently: true});
              const paint = (colours) => {
                context.clearRect(0, 0, 1, 1);
                for (const colour of colours) { context.fillStyle = colour; context.fillRect(0, 0, 1, 1); }
                return [...context.getImageData(0, 0, 1, 1).data].slice(0, 3).map(v => {
                  const share = v / 255;
                  return share <= 0.04045 ? share / 12.92 : ((share + 0.055) / 1.055) ** 2.4;
                });
              };
              const light = (c) => { const [r, g, b] = paint(c); return 0.2126 * r + 0.7152 * g + 0.0722 * b; };
              const node = document.querySelector(place);
              const behind = [];
              for (let one = node; one; one = one.parentElement) behind.unshift(getComputedStyle(one).backgroundColor);
              const style = getComputedStyle(node);
              const ink = node instanceof SVGElement ? style.fill : style.color;
              const [a, b] = [light(behind), light([...behind, ink])];
              return (Math.max(a, b) + 0.05) / (Math.min(a, b) + 0.05);
            }""",
            place,
        )
    )


def test_a_phone_shows_the_list_or_one_table(browser: Browser, served: Served) -> None:
    with browser.new_context(viewport=PHONE, has_touch=True, is_mobile=True) as context:  # type: ignore[arg-type]
        page = context.new_page()
        page.goto(served.url)
        expect(page.locator("#table-rows li")).to_have_count(3)
        expect(page.locator("#detail")).to_be_hidden()

        page.locator("#table-rows a", has_text="orders").tap()
        expect(page.locator("h1")).to_be_visible()
        expect(page.locator("#tables")).to_be_hidden()
        assert page.evaluate("document.documentElement.scrollWidth") <= PHONE["width"]

        page.get_by_role("link", name="← All tables").tap()
        expect(page.locator("#table-rows")).to_be_visible()


@pytest.fixture(scope="module")
def much(page_mysql: MySQLServer) -> Iterator[Served]:
    """200 tables, and 10,000 dead letters in one of them."""
    with new_shown(page_mysql) as shown:
        shown.add([f"table_{number:03d}" for number in range(MANY_TABLES)])
        shown.park("table_150", MANY_LETTERS)
        with serving(shown) as found:
            yield found


def nodes(page: Page) -> int:
    return int(page.evaluate("document.querySelectorAll('*').length"))


def test_two_hundred_tables_and_ten_thousand_dead_letters_stay_fluent(page: Page, much: Served) -> None:
    chosen(page, much, "table_150")
    expect(page.locator("#letters-title")).to_have_text("Dead letters: 10,000")
    expect(page.locator("#letter-rows li").first).to_be_visible()
    assert nodes(page) < NODES_MAX

    page.evaluate("() => { document.querySelector('#table-scroller').scrollTop = 1e6; }")
    expect(page.locator("#table-rows a", has_text="table_199")).to_be_visible()
    # to the very end of the letters, page by page as a reader would scroll
    page.evaluate(
        """() => new Promise((done) => {
          const scroller = document.querySelector('#letter-scroller');
          const down = () => {
            scroller.scrollTop = scroller.scrollHeight;
            const last = document.querySelector('#letter-rows li:last-child .item-key');
            if (last?.textContent.includes('user09999')) done(); else requestAnimationFrame(down);
          };
          down();
        })"""
    )
    assert nodes(page) < NODES_MAX

    took = page.evaluate(
        """() => new Promise((done) => {
          const times = [];
          const scroller = document.querySelector('#letter-scroller');
          let last = performance.now();
          const step = () => {
            scroller.scrollTop -= 4000;
            const at = performance.now();
            times.push(at - last);
            last = at;
            if (times.length < 60) requestAnimationFrame(step); else done(times.sort((a, b) => a - b)[45]);
          };
          requestAnimationFrame(step);
        })"""
    )
    assert took < DRAW_MS_MAX, f"three of four frames took up to {took} ms"


def test_a_table_is_found_among_many(page: Page, much: Served) -> None:
    page.goto(much.url)
    expect(page.locator("#table-rows")).to_have_attribute("data-count", "200")

    page.keyboard.press("/")
    expect(page.locator("#find")).to_be_focused()
    page.keyboard.type("_15")
    expect(page.locator("#table-rows")).to_have_attribute("data-count", "10")

    page.locator("#find").fill("")
    page.locator("#only-bad").click()
    expect(page.locator("#only-bad")).to_have_text("Needs you 1")
    expect(page.locator("#table-rows li")).to_have_count(1)
    expect(page.locator("#table-rows a")).to_contain_text("10,000 items that no row can hold")


def shown_order(page: Page) -> list[str | None]:
    """The first rows of the list, from top to bottom."""
    script = "() => [...document.querySelectorAll('#table-rows li')].sort((a, b) => a.offsetTop - b.offsetTop)"
    return list(page.evaluate(f"({script})().slice(0, 3).map(row => row.firstChild.dataset.table)"))


def test_tables_are_sorted_the_worst_first_and_as_a_person_likes(page: Page, shown: Shown) -> None:
    shown.add(["b-late", "c-well"])
    shown.add(["d-broken"], "scan")
    shown.change("d-broken", phase="BROKEN", reason="stopped")
    shown.change("b-late", oldest_at=time.time() - 500)
    shown.add(["a-large"], rows=5000)
    with serving(shown) as found:
        page.goto(found.url)
        expect(page.locator("#table-rows a").first).to_be_visible()
        assert shown_order(page) == ["d-broken", "a-large", "b-late"], "of equals by name"
        wanted = {"name": "a-large", "lag": "d-broken", "rows": "a-large"}
        page.evaluate("() => { document.querySelector('#tools').hidden = false; }")
        for order, first in wanted.items():
            page.evaluate(
                "(order) => { const list = document.querySelector('#sort'); list.value = order; "
                "list.dispatchEvent(new Event('change')); }",
                order,
            )
            assert shown_order(page)[0] == first, order


def test_first_copies_of_many_tables_are_one_picture(page: Page, shown: Shown) -> None:
    shown.add(["through"], rows=3000)
    shown.add(["copying"], rows=500)
    shown.change("copying", phase="SNAPSHOT", snapshot_done_at=None, items=1000)
    with serving(shown) as found:
        page.goto(found.url)
        expect(page.locator("#copying-text")).to_have_text("First copies: 1 of 2 through")
        expect(page.locator("#copying-percent")).to_have_text("87 %")
        shown.change("copying", phase="LIVE", snapshot_done_at=time.time())
        expect(page.locator("#copying")).to_be_hidden()


def test_what_is_trimmed_is_asked_of_the_status_and_not_of_a_captures_name(page: Page, served: Served) -> None:
    chosen(page, served, "reviews")
    expect(page.locator("#trimming")).to_be_visible()
    chosen(page, served, "products")
    expect(page.locator("#trimming")).to_be_hidden()


def test_dead_letters_that_are_resolved_go(page: Page, served: Served) -> None:
    chosen(page, served, "orders")
    expect(page.locator("#letter-rows li")).to_have_count(3)

    with served.shown.session() as session:
        session.execute("DELETE FROM _twinrow_dead_letter ORDER BY id LIMIT 2")
    expect(page.locator("#letter-rows li")).to_have_count(1)
    expect(page.locator("#letter-rows .item-key")).to_contain_text("user00002")

    served.shown.park("orders", 2, "another reason")
    expect(page.locator("#letter-rows li")).to_have_count(3)


def test_tables_that_nobody_copies_claim_no_health(page: Page, shown: Shown) -> None:
    """Stopped (its process died), broken, and one whose last sync ended in good order."""
    shown.add(["killed", "ended"], running=False)
    shown.add(["broken"])
    shown.change("killed", ended_at=None)
    shown.change("broken", phase="BROKEN", reason="its stream was turned off")
    with serving(shown) as served:
        for table, phase, lag in (
            ("killed", "stopped", UNKNOWN),
            ("broken", "broken", UNKNOWN),
            ("ended", "live when its sync ended", "0 s"),
        ):
            chosen(page, served, table)
            expect(page.locator("#phase")).to_have_text(phase)
            expect(number(page, "lag_s")).to_have_text(lag)
            expect(number(page, "backlog")).to_have_text(UNKNOWN if lag == UNKNOWN else "0")
            expect(page.locator("#as-of")).to_be_visible(visible=table == "ended")
        expect(number(page, "puts_per_s")).to_have_text("0/s")
        expect(page.locator("#verdict")).to_have_text("2 of 3 tables need you")
        for table in ("killed", "broken"):
            shown.change(table, phase="LIVE", reason="", ended_at=time.time())
        with shown.session() as session:
            session.execute("UPDATE _twinrow_lease SET holder = ''")
        expect(page.locator("#verdict")).to_have_text("No sync runs for any table")
