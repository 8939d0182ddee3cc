// Dead letters: a list of any length, read page by page as it is scrolled, and one of them in full.

import { WindowedList } from "./lists.js";
import { ago, byId, commandLine, make, oneLine, setText, whole } from "./parts.js";

const ROW_HEIGHT_PX = 60;
const AGAIN_MS = 3000;
const TOKEN = "twinrow-token";

/** Keep the token of `?token=…` for this tab, and take it out of the address, which people copy and browsers remember. */
export function takeToken() {
  const address = new URL(location.href);
  const token = address.searchParams.get("token");
  if (token === null) return;
  sessionStorage.setItem(TOKEN, token);
  address.searchParams.delete("token");
  history.replaceState(null, "", address);
}

export class Letters {
  constructor() {
    Object.assign(this, { table: "", letters: [], next: 0, reading: false, generation: 0, count: 0, now: 0, option: "", changedAtMs: 0, pending: false });
    this.list = new WindowedList(byId("letter-scroller"), byId("letter-rows"), ROW_HEIGHT_PX, makeRow, (row, n) => this.fill(row, n));
    this.list.onEnd = () => this.more();
    byId("letter-rows").addEventListener("click", (event) => {
      const row = event.target.closest("li");
      if (row) openLetter(this.table, this.letters[Number(row.dataset.index)], this.option);
    });
  }

  /** Show a table's dead letters; they are read again when their number changed, but not at every event. */
  show(table, now, option) {
    Object.assign(this, { now, option });
    if (table.table !== this.table) this.begin(table.table, table.dead_letters);
    byId("letters-part").hidden = table.dead_letters === 0;
    if (table.dead_letters !== this.count) this.pending = true;
    if (this.pending && performance.now() - this.changedAtMs > AGAIN_MS) this.follow(table.dead_letters);
    setText(byId("letters-title"), `Dead letters: ${whole(table.dead_letters)}`);
    if (table.dead_letters > 0) this.list.draw();
  }

  begin(table, count) {
    Object.assign(this, { table, letters: [], next: 0, reading: false, count, pending: false, changedAtMs: performance.now() });
    this.generation += 1;
    this.list.scroller.scrollTop = 0;
    this.list.show(0);
  }

  follow(count) {
    const grown = count > this.count;
    Object.assign(this, { count, pending: false, changedAtMs: performance.now() });
    if (grown) {
      // New ones come last, for ids only grow: what is shown stays, more is read at the end.
      this.next ??= this.letters.at(-1)?.id ?? 0;
      return;
    }
    // Some are gone: what is shown stays until the first page is there again.
    this.generation += 1;
    Object.assign(this, { next: 0, reading: false });
    this.more();
  }

  async more() {
    if (this.reading || this.next === null || this.count === 0) return;
    this.reading = true;
    const { generation, table, next } = this;
    try {
      const answer = await fetch(`api/dead-letters?table=${encodeURIComponent(table)}&after=${next}`);
      if (generation !== this.generation || !answer.ok) return;
      const page = await answer.json();
      this.letters = next === 0 ? page.dead_letters : [...this.letters, ...page.dead_letters];
      this.next = page.next;
      this.list.show(this.letters.length);
    } catch (lost) {
      console.info("dead letters could not be read; the next event asks again", lost);
    } finally {
      if (generation === this.generation) this.reading = false;
    }
  }

  fill(row, index) {
    const letter = this.letters[index];
    const [key, reason, seen] = row.firstChild.children;
    setText(key, oneLine(letter.key));
    setText(reason, letter.reason);
    setText(seen, ago(letter.last_at, this.now));
    row.setAttribute("aria-setsize", this.count);
  }
}

function makeRow() {
  const part = (className) => make("span", { className });
  const button = make("button", { type: "button" }, part("item-key"), part("reason"), part("seen"));
  return make("li", {}, button);
}

function openLetter(table, letter, option) {
  const dialog = byId("letter");
  dialog.dataset.table = table;
  dialog.dataset.id = letter.id;
  setText(byId("letter-title"), `Dead letter ${letter.id}`);
  setText(byId("letter-reason"), `${letter.reason} (met ${letter.attempts === 1 ? "once" : `${whole(letter.attempts)} times`})`);
  setText(byId("letter-key"), JSON.stringify(letter.key, null, 2));
  byId("letter-commands").replaceChildren(
    commandLine(`twinrow dead-letters retry ${letter.id}${option}`), commandLine(`twinrow dead-letters drop ${letter.id}${option}`));
  offerItem();
  dialog.showModal();
}

function offerItem(trouble = "") {
  const known = sessionStorage.getItem(TOKEN) !== null;
  byId("token-form").hidden = known;
  byId("show-item").hidden = !known;
  byId("item").hidden = true;
  setText(byId("item"), "");
  byId("item-trouble").hidden = trouble === "";
  setText(byId("item-trouble"), trouble);
}

async function showItem() {
  const { table, id } = byId("letter").dataset;
  const headers = { Authorization: `Bearer ${sessionStorage.getItem(TOKEN)}` };
  let answer;
  try {
    answer = await fetch(`api/item?table=${encodeURIComponent(table)}&id=${id}`, { headers });
  } catch (lost) {
    offerItem(`The item could not be read: ${lost.message}`);
    return;
  }
  if (answer.status === 401) sessionStorage.removeItem(TOKEN);
  if (!answer.ok) {
    offerItem(answer.status === 401 ? "That is not the token of the sync that runs." : await answer.text());
    return;
  }
  const found = await answer.json();
  setText(byId("item"), JSON.stringify(found.item, null, 2));
  byId("item").hidden = false;
  byId("show-item").hidden = true;
}

byId("token-form").addEventListener("submit", (event) => {
  event.preventDefault();
  const token = byId("token").value.trim();
  if (token === "") return;
  sessionStorage.setItem(TOKEN, token);
  byId("token").value = "";
  offerItem();
  showItem();
});
byId("show-item").addEventListener("click", showItem);
byId("letter-close").addEventListener("click", () => byId("letter").close());
byId("letter").addEventListener("click", (event) => {
  if (event.target === byId("letter")) byId("letter").close();
});
