// One table in full: what its status tells once a second, and what is read beside it when that changes.

import { Letters } from "./letters.js";
import {
  UNKNOWN, ago, byId, commandLine, dayAndTime, make, oneLine, percent, rate, setChildren, setNumber, setText, span, whole,
} from "./parts.js";
import { Plot } from "./plot.js";

const HISTORY_EVERY_MS = 5000;
const DETAIL_EVERY_MS_MIN = 2000;
const SIDES = ["missing", "extra", "different", "unlinked", "unsettled"];
const TEXT_OF = {
  lag_s: span, retention_left_s: span, snapshot_share: percent, reconcile_share: percent,
  puts_per_s: perSecond, deletes_per_s: perSecond,
};
const ALARMING = new Set(["dead_letters", "gaps"]);

function perSecond(value) {
  return value == null ? UNKNOWN : `${rate(value)}/s`;
}

export class TableView {
  constructor() {
    this.table = "";
    this.numbers = [...byId("detail").querySelectorAll("[data-number]")];
    this.letters = new Letters();
    this.lag = new Plot(byId("lag-plot"), { series: ["lag"], text: span, leastMax: 1, name: "Lag" });
    this.changes = new Plot(byId("changes-plot"), {
      series: ["put", "delete"], text: rate, leastMax: 1, name: "Puts and deletes a second",
    });
  }

  /** Show a table's status; `heard` is the event that it came with, `ended` why its sync ended in this process. */
  show(table, heard, ended) {
    if (table.table !== this.table) this.change(table.table);
    this.status = table;
    const now = heard.status.at;
    setText(byId("name"), table.table);
    setText(byId("path"), `${table.capture}, into ${table.into}`);
    this.phase(table, ended);
    this.troubles(table, ended, heard.mending[table.table] ?? []);
    byId("trimming").hidden = table.retention_s === null;
    byId("as-of").hidden = table.as_of === null;
    setText(byId("as-of"), table.as_of === null ? "" : `as of ${dayAndTime(table.as_of)}, when the last sync ended in good order`);
    this.holder(table, heard.status.members);
    for (const node of this.numbers) this.number(node, node.dataset.number, table);
    this.applied(table);
    this.capacity(table);
    this.verified(table, now, heard.option);
    this.letters.show(table, now, heard.option);
    this.readBeside(table);
  }

  change(name) {
    this.table = name;
    Object.assign(this, { historyAtMs: -Infinity, detailAtMs: -Infinity, detailOf: "" });
    this.lag.show([], [[]], 0);
    this.changes.show([], [[], []], 0);
    for (const id of ["gaps-part", "refusals-part", "schema-part"]) byId(id).hidden = true;
    byId("history").open = false;
  }

  number(node, name, table) {
    const value = table[name];
    setNumber(node, value, (TEXT_OF[name] ?? whole)(value));
    node.classList.toggle("none", value == null);
    if (ALARMING.has(name)) node.classList.toggle("bad", value > 0);
  }

  /** Which process copies the table, where several share the tables. */
  holder(table, members) {
    const own = members.find((member) => member.holder === table.holder);
    byId("holder").hidden = members.length < 2;
    const held = own ? `held by ${own.holder} with ${own.tables} tables` : table.holder ? `held by ${table.holder}` : "held by none";
    setText(byId("holder"), `${held}; ${members.length} processes share the tables`);
  }

  phase(table, ended) {
    const chip = byId("phase");
    const words = {
      NEW: "new", SNAPSHOT: "first copy", CATCH_UP: "catching up", LIVE: "live", BROKEN: "broken", STOPPED: "stopped",
    };
    const off = table.as_of !== null;
    const silent = (table.running || table.waits) && table.in_step === null && table.phase === "LIVE";
    const word = words[table.phase] ?? table.phase;
    setText(chip, off ? `${word} when its sync ended` : silent ? `${word}, how far is not known` : word);
    const states = { BROKEN: "bad", STOPPED: "bad", LIVE: "good", NEW: "off" };
    chip.dataset.state = ended ? "bad" : off ? "off" : silent ? "busy" : states[table.phase] ?? "busy";
    chip.dataset.phase = table.phase;
    byId("progress").hidden = table.phase !== "SNAPSHOT" || table.snapshot_share === null;
    byId("share").value = table.snapshot_share ?? 0;
    byId("reconcile").hidden = table.reconcile_share === null;
    byId("met").value = table.reconcile_share ?? 0;
  }

  troubles(table, ended, commands) {
    const known = table.troubles.some((trouble) => ended.includes(trouble.text));
    const all = ended && !known ? [{ bad: true, text: `its sync ended: ${ended}`, commands }, ...table.troubles] : table.troubles;
    byId("troubles").hidden = all.length === 0;
    setChildren(byId("troubles"), all, (trouble) =>
      make("li", { className: trouble.bad ? "trouble bad" : "trouble" },
        make("p", { text: trouble.text }),
        make("div", { className: "commands" }, ...trouble.commands.map(commandLine))));
  }

  applied(table) {
    const origins = [...new Set(table.applied.map((part) => part.origin))];
    const of = (kind, origin) => table.applied.find((part) => part.kind === kind && part.origin === origin)?.count ?? 0;
    const body = byId("applied");
    if (body.dataset.made !== JSON.stringify(origins)) {
      body.dataset.made = JSON.stringify(origins);
      body.replaceChildren(...origins.map((origin) =>
        make("tr", {}, make("th", { text: origin.toLowerCase(), scope: "row" }),
          make("td", { data: { applied: "PUT", origin } }), make("td", { data: { applied: "DELETE", origin } }))));
      if (!origins.length) body.append(make("tr", {}, make("td", { text: "nothing yet", colSpan: 3, className: "none" })));
    }
    for (const cell of body.querySelectorAll("[data-applied]")) {
      const count = of(cell.dataset.applied, cell.dataset.origin);
      setNumber(cell, count, whole(count));
    }
  }

  capacity(table) {
    const box = byId("capacity");
    if (!box.childElementCount) {
      box.append(...["read", "write"].map((kind) =>
        make("div", { className: "meter", data: { kind } },
          make("p", {}, make("span", { text: kind === "read" ? "Reads" : "Writes" }), make("span", { className: "of" })),
          make("meter", { min: 0, max: 1, high: 0.9, attributes: { "aria-label": `${kind} capacity in use` } }),
          make("p", { className: "aside" }, make("b"), make("span")))));
    }
    for (const part of box.children) this.meter(part, part.dataset.kind, table);
  }

  meter(part, kind, table) {
    const [most, total, share] = [table[`${kind}_units_max`], table[`${kind}_units`], table[`${kind}_share`]];
    const used = table[`${kind}_units_per_s`];
    const bar = part.querySelector("meter");
    const of = part.querySelector(".of");
    of.dataset.used = JSON.stringify(used);
    const known = table.counted_since !== null;
    const bound = most === null ? `${rate(used)} units/s, no bound` : `${rate(used)} of ${whole(most)} units/s`;
    setNumber(of, most, known ? bound : UNKNOWN);
    bar.hidden = most === null || used === null;
    if (!bar.hidden) bar.value = Math.min(1, used / most);
    const throttled = share < 1 ? `, held to ${percent(share)} while DynamoDB throttles` : "";
    setNumber(part.querySelector("b"), total, whole(total));
    setText(part.querySelector(".aside span"), ` units since the sync began${throttled}`);
  }

  verified(table, now, option) {
    const found = table.verified;
    const command = `twinrow verify ${table.table}${option}`;
    const content = [{ found, command, when: found ? ago(found.at, now) : "" }];
    setChildren(byId("verified"), content, () => (found ? verdict(found, content[0].when, command) : never(command)));
  }

  readBeside(table) {
    const now = performance.now();
    if (now - this.historyAtMs > HISTORY_EVERY_MS) {
      this.historyAtMs = now;
      this.read("history", (history) => {
        const [at, values] = [history.at, [history.per_s.PUT, history.per_s.DELETE]];
        const until = Math.max(at[at.length - 1] ?? 0, table.read_at ?? 0);
        this.lag.show(at, [history.lag_s], until);
        this.changes.show(at, values, until);
      });
    }
    const of = oneLine([table.schema_version, table.gaps, table.links_refused, table.phase]);
    if (of === this.detailOf || now - this.detailAtMs < DETAIL_EVERY_MS_MIN) return;
    this.detailAtMs = now;
    this.read("table", (detail) => {
      this.detailOf = of;
      this.schema(detail);
      this.gaps(detail.gaps);
      this.refusals(detail.refusals);
    });
  }

  async read(what, use) {
    const name = this.table;
    try {
      const answer = await fetch(`api/${what}?table=${encodeURIComponent(name)}`);
      if (answer.ok && name === this.table) use(await answer.json());
    } catch (lost) {
      // The stream of events notices the same, and the page says so; the next event asks again.
      console.info(`${what} could not be read`, lost);
    }
  }

  schema(detail) {
    byId("schema-part").hidden = detail.columns.length === 0;
    setText(byId("version"), `version ${detail.version}, ${detail.columns.length} columns`);
    setChildren(byId("columns"), detail.columns, (column) =>
      make("tr", {},
        make("th", { scope: "row" }, column.attribute, ...(column.key ? [make("span", { className: "mark", text: "key" })] : [])),
        make("td", { text: column.kind }), make("td", { text: column.column }),
        make("td", {}, make("code", { text: column.type }), ...(column.overridden ? [make("span", { className: "mark", text: "set" })] : []))));
    byId("history").hidden = detail.history.length === 0;
    setChildren(byId("history-rows"), [...detail.history].reverse(), (change) =>
      make("li", {},
        make("p", {}, make("b", { text: change.column_name }), ` ${change.before_type ? `${change.before_type} → ` : ""}${change.column_type}`),
        make("p", { className: "aside", text: `version ${change.version}, ${dayAndTime(change.at)}: ${change.why}` })));
  }

  gaps(gaps) {
    byId("gaps-part").hidden = gaps.length === 0;
    setChildren(byId("gap-rows"), gaps, (gap) =>
      make("li", {},
        make("p", {}, make("b", { text: gap.cause }), gap.shard ? ` in ${gap.shard}` : "",
          make("span", { className: gap.closed_at === null ? "mark bad" : "mark", text: gap.closed_at === null ? "open" : "mended" })),
        make("p", {
          className: "aside",
          text: `from ${dayAndTime(gap.from_at)} to ${dayAndTime(gap.to_at)}, found ${dayAndTime(gap.found_at)}`
            + (gap.closed_at === null ? "" : `, mended ${dayAndTime(gap.closed_at)}`)
            + (gap.mended_by === "export" ? ", by exports" : gap.why ? `, by a pass: ${gap.why}` : ""),
        })));
  }

  refusals(refusals) {
    byId("refusals-part").hidden = refusals.length === 0;
    setChildren(byId("refusal-rows"), refusals, (refusal) =>
      make("li", {}, make("p", { className: "item-key", text: oneLine(refusal.key) }), make("p", { className: "aside", text: refusal.reason })));
  }
}

function verdict(found, when, command) {
  const counts = [...SIDES, "dead_letters"].filter((side) => found[side] > 0);
  const number = (name, text) => {
    const node = make("b", { data: { verified: name } });
    setNumber(node, found[name], text ?? whole(found[name]));
    return node;
  };
  const differences = counts.flatMap((side, n) => [n ? ", " : "", number(side), ` ${side.replace("_", " ")}`]);
  return make("div", {},
    make("p", { className: found.in_step ? "outcome good" : "outcome bad" }, ...(found.in_step ? ["In step"] : differences)),
    make("p", { className: "aside" }, number("items"), " items against ", number("rows"), ` rows, ${when}, in `,
      number("seconds", span(Math.round(found.seconds * 10) / 10))),
    commandLine(command));
}

function never(command) {
  return make("div", {}, make("p", { className: "outcome none", text: UNKNOWN }),
    make("p", { className: "aside", text: "Never verified in this copy. It reads within the budget and changes nothing." }),
    commandLine(command));
}
