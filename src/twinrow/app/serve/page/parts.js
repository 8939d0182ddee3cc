// Small parts of the page: elements, numbers as people read them, commands to copy.

const WHOLE = new Intl.NumberFormat("en-US", { maximumFractionDigits: 0 });
const TENTHS = new Intl.NumberFormat("en-US", { minimumFractionDigits: 1, maximumFractionDigits: 1 });
const COPIED_MS = 1500;
export const UNKNOWN = "–";

export const byId = (id) => document.getElementById(id);

/** An element with properties (`text` is its text, `data` its data attributes) and children. */
export function make(tag, { text, data, attributes, ...properties } = {}, ...children) {
  const node = Object.assign(document.createElement(tag), properties);
  if (text !== undefined) node.textContent = text;
  Object.assign(node.dataset, data);
  for (const [name, value] of Object.entries(attributes ?? {})) node.setAttribute(name, value);
  node.append(...children);
  return node;
}

/** Set a text only where it differs: a live page must not disturb selections and screen readers. */
export function setText(node, text) {
  if (node.textContent !== text) node.textContent = text;
}

/** Show a number: its text for people, and the value itself, as `status --json` has it, for whoever checks. */
export function setNumber(node, value, text) {
  setText(node, text);
  const exact = JSON.stringify(value ?? null);
  if (node.dataset.value !== exact) node.dataset.value = exact;
}

export const whole = (value) => (value == null ? UNKNOWN : WHOLE.format(value));

export function rate(value) {
  if (value == null) return UNKNOWN;
  return Number.isInteger(value) || value >= 100 ? WHOLE.format(value) : TENTHS.format(value);
}

export const percent = (value) => (value == null ? UNKNOWN : `${Math.floor(value * 100)} %`);

/** A span of time as a person says it: `0 s`, `3.2 s`, `12 min`, `3 h`, `5 d`. */
export function span(seconds) {
  if (seconds == null) return UNKNOWN;
  if (seconds < 10 && !Number.isInteger(seconds)) return `${TENTHS.format(seconds)} s`;
  if (seconds < 120) return `${WHOLE.format(seconds)} s`;
  if (seconds < 7200) return `${WHOLE.format(seconds / 60)} min`;
  return seconds < 172800 ? `${WHOLE.format(seconds / 3600)} h` : `${WHOLE.format(seconds / 86400)} d`;
}

export const ago = (at, now) => (at == null ? UNKNOWN : `${span(Math.max(0, Math.round(now - at)))} ago`);

export const timeOfDay = (at) =>
  new Date(at * 1000).toLocaleTimeString("en-GB", { hour: "2-digit", minute: "2-digit", second: "2-digit" });

export const dayAndTime = (at) =>
  at == null ? "unknown" : new Date(at * 1000).toLocaleString("en-GB", { dateStyle: "medium", timeStyle: "short" });

/** A key or an item on one line. */
export const oneLine = (value) => JSON.stringify(value);

/** A command with a button that copies it. */
export function commandLine(command) {
  const button = make("button", {
    type: "button", className: "copy", text: "Copy", data: { command }, attributes: { "aria-label": `Copy ${command}` },
  });
  return make("span", { className: "command" }, make("code", { text: command }), button);
}

/** Replace children only when what they are made of differs; the button of a command keeps the focus. */
export function setChildren(parent, content, build) {
  const made = JSON.stringify(content);
  if (parent.dataset.made === made) return;
  parent.dataset.made = made;
  const held = parent.contains(document.activeElement) ? document.activeElement.dataset.command : undefined;
  parent.replaceChildren(...content.map(build));
  if (held === undefined) return;
  [...parent.querySelectorAll("button.copy")].find((button) => button.dataset.command === held)?.focus({ preventScroll: true });
}

document.addEventListener("click", async (event) => {
  const button = event.target.closest("button.copy");
  if (button === null) return;
  const done = await copyText(button.dataset.command);
  button.textContent = done ? "Copied" : "Select it";
  byId("said").textContent = done ? `Copied ${button.dataset.command}` : "Copying is not allowed here";
  setTimeout(() => { button.textContent = "Copy"; }, COPIED_MS);
});

async function copyText(text) {
  if (navigator.clipboard) {
    try {
      await navigator.clipboard.writeText(text);
      return true;
    } catch (refused) {
      console.info("the browser refuses the clipboard, trying the old way", refused);
    }
  }
  // Plain HTTP from another machine has no clipboard; the old way still works there.
  const area = make("textarea", { value: text, className: "unseen" });
  (document.querySelector("dialog[open]") ?? document.body).append(area);
  area.select();
  const done = document.execCommand("copy");
  area.remove();
  return done;
}
