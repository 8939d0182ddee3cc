// A plot of the last hour, or of as much of it as is known, as SVG: one or two series, filled below, with a value under
// the pointer.

import { make, setText, timeOfDay } from "./parts.js";

/** How long a time is shown, and the time between two ticks below it: the first that holds all samples. */
const SPANS_S = [[300, 60], [900, 300], [1800, 600], [3600, 900]];
const LEFT_PX = 52;
const RIGHT_PX = 8;
const TOP_PX = 10;
const BOTTOM_PX = 22;
const SVG = "http://www.w3.org/2000/svg";

function svg(tag, attributes, text) {
  const node = document.createElementNS(SVG, tag);
  for (const [name, value] of Object.entries(attributes)) node.setAttribute(name, value);
  if (text !== undefined) node.textContent = text;
  return node;
}

/** The next round number at or above a value: 1, 2 or 5 times a power of ten. */
function roundUp(value, least) {
  if (value <= least) return least;
  const power = 10 ** Math.floor(Math.log10(value));
  return [1, 2, 5, 10].map((step) => step * power).find((step) => step >= value);
}

export class Plot {
  /** `series` are class names, `text(value)` how a value is said, `leastMax` the smallest upper end of the axis. */
  constructor(box, { series, text, leastMax, name }) {
    Object.assign(this, { box, series, text, leastMax, name, at: [], values: series.map(() => []), now: 0, spanS: 0, tickS: 0 });
    this.svg = svg("svg", { role: "img" });
    this.readout = make("p", { className: "readout", hidden: true });
    box.append(this.svg, this.readout);
    new ResizeObserver(() => this.draw()).observe(box);
    box.addEventListener("pointermove", (event) => this.point(event));
    box.addEventListener("pointerleave", () => this.point(null));
  }

  /** Show samples at epoch seconds `at`, a list of values for each series (null: unknown), until `now`. */
  show(at, values, now) {
    const known = now - (at[0] ?? now);
    const [spanS, tickS] = SPANS_S.find(([span]) => known <= span) ?? SPANS_S.at(-1);
    Object.assign(this, { at, values, now, spanS, tickS });
    this.draw();
  }

  x(at) {
    return LEFT_PX + (1 - (this.now - at) / this.spanS) * (this.width - LEFT_PX - RIGHT_PX);
  }

  y(value) {
    return TOP_PX + (1 - value / this.max) * (this.height - TOP_PX - BOTTOM_PX);
  }

  draw() {
    this.width = this.box.clientWidth;
    this.height = this.box.clientHeight;
    if (this.width === 0 || this.now === 0) return;
    const most = this.values.flat().reduce((high, value) => Math.max(high, value ?? 0), 0);
    this.max = roundUp(most, this.leastMax);
    this.svg.setAttribute("viewBox", `0 0 ${this.width} ${this.height}`);
    this.svg.setAttribute("aria-label", `${this.name}: at most ${this.text(most)} during the last hour`);
    const lines = this.series.flatMap((name, number) => this.line(name, this.values[number]));
    this.cursor = svg("line", { class: "cursor", y1: TOP_PX, y2: this.height - BOTTOM_PX, visibility: "hidden" });
    this.svg.replaceChildren(...this.axes(), ...lines, this.cursor);
  }

  axes() {
    const nodes = [];
    for (const share of [0, 0.5, 1]) {
      const y = this.y(this.max * share);
      nodes.push(svg("line", { class: share ? "grid" : "axis", x1: LEFT_PX, x2: this.width - RIGHT_PX, y1: y, y2: y }));
      nodes.push(svg("text", { class: "tick end", x: LEFT_PX - 8, y: y + 4 }, this.text(this.max * share)));
    }
    const first = Math.ceil((this.now - this.spanS) / this.tickS) * this.tickS;
    for (let at = first; at <= this.now; at += this.tickS) {
      const x = this.x(at);
      if (x > this.width - RIGHT_PX - 18 || x < LEFT_PX + 14) continue;
      nodes.push(svg("text", { class: "tick middle", x, y: this.height - 5 }, timeOfDay(at).slice(0, 5)));
    }
    return nodes;
  }

  line(name, values) {
    const runs = [];
    let run = [];
    values.forEach((value, number) => {
      if (value === null || this.at[number] < this.now - this.spanS) {
        if (run.length) runs.push(run);
        run = [];
        return;
      }
      run.push([this.x(this.at[number]).toFixed(1), this.y(value).toFixed(1)]);
    });
    if (run.length) runs.push(run);
    const bottom = this.y(0).toFixed(1);
    return runs.flatMap((points) => {
      const path = points.map(([x, y]) => `${x},${y}`).join(" L");
      const [start, end] = [points[0][0], points[points.length - 1][0]];
      return [
        svg("path", { class: `area ${name}`, d: `M${start},${bottom} L${path} L${end},${bottom} Z` }),
        svg("path", { class: `line ${name}`, d: `M${path}` }),
      ];
    });
  }

  point(event) {
    const number = event === null ? -1 : this.nearest(event.clientX - this.box.getBoundingClientRect().left);
    this.readout.hidden = number < 0;
    this.cursor?.setAttribute("visibility", number < 0 ? "hidden" : "visible");
    if (number < 0) return;
    const x = this.x(this.at[number]);
    this.cursor.setAttribute("x1", x);
    this.cursor.setAttribute("x2", x);
    const said = this.values.map((values) => this.text(values[number])).join(" · ");
    setText(this.readout, `${timeOfDay(this.at[number])}  ${said}`);
    this.readout.dataset.side = x > this.width / 2 ? "left" : "right";
    this.readout.style.left = `${x}px`;
  }

  nearest(x) {
    const at = this.now - (1 - (x - LEFT_PX) / (this.width - LEFT_PX - RIGHT_PX)) * this.spanS;
    let best = -1;
    this.at.forEach((moment, number) => {
      if (best < 0 || Math.abs(moment - at) < Math.abs(this.at[best] - at)) best = number;
    });
    return best;
  }
}
