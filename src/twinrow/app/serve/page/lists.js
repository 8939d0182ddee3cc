// A list of any length of which only the rows in sight are in the document.

const ROWS_BEYOND = 6;

export class WindowedList {
  /** `make()` builds an empty row, `fill(row, index)` puts what it shows into it; all rows have one height. */
  constructor(scroller, rows, rowHeightPx, make, fill) {
    Object.assign(this, { scroller, rows, rowHeightPx, make, fill, count: 0, drawn: new Map(), onEnd: () => {} });
    this.asked = false;
    scroller.addEventListener("scroll", () => this.ask(), { passive: true });
    new ResizeObserver(() => this.ask()).observe(scroller);
    rows.addEventListener("keydown", (event) => this.onKey(event));
  }

  /** Show `count` rows; those in sight are filled anew. */
  show(count) {
    this.count = count;
    this.rows.style.height = `${count * this.rowHeightPx}px`;
    this.draw();
  }

  ask() {
    if (this.asked) return;
    this.asked = true;
    requestAnimationFrame(() => { this.asked = false; this.draw(); });
  }

  draw() {
    const first = Math.max(0, Math.floor(this.scroller.scrollTop / this.rowHeightPx) - ROWS_BEYOND);
    const seen = Math.ceil(this.scroller.clientHeight / this.rowHeightPx) + 2 * ROWS_BEYOND;
    const last = Math.min(this.count, first + seen);
    for (const [index, row] of this.drawn) {
      // A row that has the focus stays, however far it was scrolled away: the next key goes on from there.
      const kept = index < this.count && row.contains(document.activeElement);
      if ((index < first || index >= last) && !kept) {
        row.remove();
        this.drawn.delete(index);
      }
    }
    for (let index = first; index < last; index += 1) this.row(index);
    for (const [index, row] of this.drawn) this.fill(row, index);
    if (last >= this.count) this.onEnd();
  }

  row(index) {
    if (this.drawn.has(index)) return this.drawn.get(index);
    const row = this.make();
    row.style.top = `${index * this.rowHeightPx}px`;
    row.dataset.index = index;
    row.setAttribute("aria-posinset", index + 1);
    const after = [...this.drawn.keys()].filter((other) => other > index);
    this.rows.insertBefore(row, after.length ? this.drawn.get(Math.min(...after)) : null);
    this.drawn.set(index, row);
    return row;
  }

  onKey(event) {
    const row = event.target.closest("li");
    const steps = { ArrowDown: 1, ArrowUp: -1, Home: -this.count, End: this.count };
    if (row === null || !(event.key in steps)) return;
    event.preventDefault();
    this.focus(Number(row.dataset.index) + steps[event.key]);
  }

  focus(wanted) {
    const index = Math.min(Math.max(wanted, 0), this.count - 1);
    if (index < 0) return;
    const top = index * this.rowHeightPx;
    const bottom = top + this.rowHeightPx - this.scroller.clientHeight;
    if (top < this.scroller.scrollTop) this.scroller.scrollTop = top;
    else if (bottom > this.scroller.scrollTop) this.scroller.scrollTop = bottom;
    this.draw();
    this.row(index).querySelector("a, button").focus({ preventScroll: true });
    this.draw();
  }
}
