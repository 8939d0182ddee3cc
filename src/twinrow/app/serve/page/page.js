// The page: listens to the status once a second, shows the list of tables and the chosen one.

import { WindowedList } from "./lists.js";
import { takeToken } from "./letters.js";
import { ORDERS, needsCare } from "./order.js";
import { byId, commandLine, make, percent, setChildren, setText, span, timeOfDay, whole } from "./parts.js";
import { TableView } from "./table.js";

const ROW_HEIGHT_PX = 64;
const FIND_FROM_TABLES = 8;
const NAME_END = 14;
const SILENT_MS_MAX = 5000;
const LOOK_EVERY_MS = 1000;

const view = new TableView();
const list = new WindowedList(byId("table-scroller"), byId("table-rows"), ROW_HEIGHT_PX, makeRow, fillRow);
const wide = matchMedia("(min-width: 960px)");

let heard = null;
let heardAtMs = 0;
let shown = [];
let shownFor = "";
let stopping = false;

takeToken();
listen();
addEventListener("hashchange", () => route({ moveFocus: true }));
wide.addEventListener("change", () => route());
byId("find").addEventListener("input", draw);
byId("sort").addEventListener("change", draw);
byId("only-bad").addEventListener("click", (event) => {
  const button = event.currentTarget;
  button.setAttribute("aria-pressed", button.getAttribute("aria-pressed") !== "true");
  draw();
});
addEventListener("keydown", (event) => {
  const typing = event.target.closest("input, textarea, dialog");
  if (event.key !== "/" || typing || byId("tools").hidden) return;
  event.preventDefault();
  byId("find").focus();
});
setInterval(showLive, LOOK_EVERY_MS);

function listen() {
  const events = new EventSource("api/events");
  const take = (event) => {
    heard = JSON.parse(event.data);
    heardAtMs = performance.now();
    stopping = event.type === "stopping";
    draw();
  };
  events.addEventListener("status", take);
  events.addEventListener("stopping", take);
  events.addEventListener("error", () => {
    showLive();
    // The browser tries again by itself, but for a refusal (too many pages, another token): then we do.
    if (events.readyState === EventSource.CLOSED) setTimeout(again, SILENT_MS_MAX);
  });
}

/** Listen anew; where the token is not that of the sync that runs now, the form asks for it. */
async function again() {
  try {
    const answer = await fetch("api/status");
    if (answer.status === 401) {
      location.reload();
      return;
    }
  } catch (lost) {
    console.info("the sync does not answer, trying again", lost);
  }
  listen();
}

const endedWhy = (table) => heard.ended[table.table] ?? "";
const needsYou = (table) => needsCare(table, endedWhy(table));

function draw() {
  if (heard === null) return;
  const tables = heard.status.tables;
  const bad = tables.filter(needsYou).length;
  showLive();
  const wanted = byId("find").value.trim().toLowerCase();
  const onlyBad = byId("only-bad").getAttribute("aria-pressed") === "true";
  const order = ORDERS[byId("sort").value];
  const sorted = tables
    .filter((table) => (!onlyBad || needsYou(table)) && (table.table.toLowerCase().includes(wanted) || table.into.toLowerCase().includes(wanted)))
    .sort((first, other) => order(first, other, endedWhy));
  shown = held(sorted, [wanted, onlyBad, byId("sort").value].join("\n"));
  showCopying(tables);
  document.body.classList.toggle("single", tables.length === 1);
  byId("tools").hidden = tables.length < FIND_FROM_TABLES;
  byId("no-table").hidden = shown.length > 0 || tables.length === 0;
  setText(byId("bad-count"), whole(bad));
  list.rows.dataset.count = shown.length;
  list.show(shown.length);
  route();
}

/** The tables in the order in which they stand now, while somebody points at one: else a click would meet another. */
function held(sorted, asked) {
  const same = asked === shownFor;
  shownFor = asked;
  if (!same || !byId("table-rows").matches(":hover, :focus-within")) return sorted;
  const place = new Map(shown.map((table, index) => [table.table, index]));
  return sorted.sort((first, other) => (place.get(first.table) ?? Infinity) - (place.get(other.table) ?? Infinity));
}

/** How far the first copies are, as one picture: in items, of which DynamoDB tells the number. */
function showCopying(tables) {
  const through = tables.filter((table) => table.snapshot_done_at !== null);
  const copying = tables.some((table) => table.phase === "SNAPSHOT");
  byId("copying").hidden = !copying || tables.length === 1;
  if (!copying) return;
  const items = tables.reduce((sum, table) => sum + (table.items ?? 0), 0);
  const done = tables.reduce((sum, table) => sum + (table.items ?? 0) * (table.snapshot_share ?? 0), 0);
  const share = items > 0 ? done / items : null;
  setText(byId("copying-text"), `First copies: ${whole(through.length)} of ${whole(tables.length)} through`);
  byId("copying-share").value = share ?? 0;
  setText(byId("copying-percent"), percent(share));
}

const isSilent = () => heard === null || performance.now() - heardAtMs > SILENT_MS_MAX;

function showVerdict() {
  const verdict = byId("verdict");
  const tables = heard.status.tables;
  const bad = tables.filter(needsYou).length;
  const copying = tables.filter((table) => !["LIVE", "BROKEN", "GONE"].includes(table.phase)).length;
  const ended = tables.filter((table) => table.as_of !== null).length;
  const unknown = tables.filter((table) => table.in_step !== true).length;
  const all = tables.length === 1 ? "The table" : `All ${whole(tables.length)} tables`;
  let text = tables.length === 1 ? "In step" : `${all} in step`;
  let state = "good";
  if (isSilent()) [text, state] = ["The sync does not answer", "bad"];
  else if (heard.trouble) [text, state] = ["The status cannot be read", "bad"];
  else if (heard.status.at === null) [text, state] = ["Reading the status…", "busy"];
  else if (bad) [text, state] = [tables.length === 1 ? "Needs you" : `${whole(bad)} of ${whole(tables.length)} tables need you`, "bad"];
  else if (ended) [text, state] = [tables.length === 1 ? "No sync runs" : `No sync runs for ${ended === tables.length ? "any table" : `${whole(ended)} of ${whole(tables.length)} tables`}`, "off"];
  else if (copying) [text, state] = [`${copying === tables.length ? all : whole(copying)} being copied`, "busy"];
  else if (unknown) [text, state] = ["Reading how the copy stands…", "busy"];
  if (!isSilent() && !heard.trouble && bad === 1 && tables.length > 1) text = `1 of ${whole(tables.length)} tables needs you`;
  setText(verdict, text);
  verdict.dataset.state = state;
  document.title = `${bad ? `(${bad}) ` : ""}Twinrow: ${text.toLowerCase()}`;
}

function showLive() {
  const silent = isSilent();
  if (heard !== null) showVerdict();
  let [state, text] = ["live", "live"];
  if (silent) [state, text] = heard === null ? ["waiting", "connecting"] : ["lost", "connection lost, trying again"];
  else if (stopping) [state, text] = ["waiting", "the sync is stopping"];
  else if (heard.trouble) [state, text] = ["lost", "not live"];
  setText(byId("live-time"), state === "live" ? timeOfDay(heard.status.at ?? heard.now) : "");
  byId("live").dataset.state = state;
  setText(byId("live-text"), text);
  document.body.classList.toggle("stale", silent || Boolean(heard?.trouble));
  const banner = byId("banner");
  banner.hidden = !heard?.trouble && !heard?.config;
  if (banner.hidden) return;
  const at = heard.status.at;
  const told = heard.trouble ? `${heard.trouble}${at === null ? "" : `. The numbers below are of ${timeOfDay(at)}`}. It is tried again every second.` : heard.config;
  setChildren(banner, [{ text: told, command: `twinrow check${heard.option}` }], (entry) =>
    make("div", {}, make("p", { text: entry.text }), make("div", { className: "commands" }, commandLine(entry.command))));
}

function chosenName() {
  const [, kind, name] = location.hash.split("/");
  return kind === "table" ? decodeURIComponent(name ?? "") : "";
}

function route({ moveFocus = false } = {}) {
  if (heard === null) return;
  const tables = heard.status.tables;
  const named = tables.find((table) => table.table === chosenName());
  const worst = [...tables].sort((first, other) => ORDERS.worst(first, other, endedWhy));
  const first = wide.matches || tables.length === 1 ? worst[0] : undefined;
  // Without a choice the page keeps to what it shows already: nothing jumps when another table gets into trouble.
  const chosen = named ?? tables.find((table) => first && table.table === view.table) ?? first;
  document.body.dataset.view = named || (tables.length === 1 && chosen) ? "table" : "list";
  byId("detail").hidden = chosen === undefined;
  if (chosen) view.show(chosen, heard, endedWhy(chosen));
  for (const link of byId("table-rows").querySelectorAll("a")) markCurrent(link);
  if (!moveFocus) return;
  scrollTo(0, 0);
  if (named) byId("detail").focus({ preventScroll: true });
}

function markCurrent(link) {
  const current = link.dataset.table === view.table;
  if (current !== link.hasAttribute("aria-current")) link.toggleAttribute("aria-current", current);
}

function makeRow() {
  const part = (className) => make("span", { className });
  const name = make("span", { className: "table-name" }, part("start"), part("end"));
  const link = make("a", {}, part("dot"), name, part("table-lag"), part("table-note"), part("table-rows"));
  return make("li", {}, link);
}

function fillRow(row, index) {
  const table = shown[index];
  const link = row.firstChild;
  const [dot, name, lag, note, rows] = link.children;
  const trouble = table.troubles.find((trouble) => trouble.bad);
  const why = endedWhy(table) || trouble?.text;
  if (link.dataset.table !== table.table) {
    link.dataset.table = table.table;
    link.href = `#/table/${encodeURIComponent(table.table)}`;
  }
  markCurrent(link);
  row.setAttribute("aria-setsize", shown.length);
  dot.dataset.state = why ? "bad" : stateOf(table);
  // names of one service begin alike and end apart: what is cut is the middle
  setText(name.firstChild, table.table.slice(0, -NAME_END));
  setText(name.lastChild, table.table.slice(-NAME_END));
  setText(lag, span(table.lag_s));
  setText(note, why ?? phaseText(table));
  note.classList.toggle("bad", Boolean(why));
  setText(rows, `${whole(table.rows)} rows`);
}

function stateOf(table) {
  if (table.phase === "BROKEN" || table.phase === "STOPPED") return "bad";
  if (table.waits) return "busy";
  if (table.running === false) return "off";
  return table.phase === "LIVE" && table.in_step !== null ? "good" : "busy";
}

function phaseText(table) {
  if (table.phase === "SNAPSHOT" && table.snapshot_share !== null) return `first copy, ${Math.floor(table.snapshot_share * 100)} %`;
  if (table.waits) return "waits and tries again";
  if (table.phase === "GONE") return "gone from DynamoDB";
  if (table.running === false && table.phase !== "NEW") return "no sync is running";
  if (table.reconcile_share !== null) return `reconcile, ${Math.floor(table.reconcile_share * 100)} %`;
  if (table.phase === "LIVE" && table.in_step === null) return "live, how far is not known";
  return { NEW: "not copied yet", SNAPSHOT: "first copy", CATCH_UP: "catching up", LIVE: "live" }[table.phase] ?? table.phase;
}
