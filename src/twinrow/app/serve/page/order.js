// In which order the tables stand, and which of them need somebody; `twinrow status` has the same order.

const NOT_KNOWN = 4;
const COPYING = 5;
const IN_STEP = 6;

export const needsCare = (table, ended) => table.troubles.some((trouble) => trouble.bad) || ended !== "";

/** How bad a table stands: 0 is the worst. `ended` is why its sync ended in this process, if it did. */
function rank(table, ended) {
  if (table.phase === "BROKEN" || ended !== "") return 0;
  if (table.phase === "STOPPED") return 1;
  if (table.in_step === false) return 2;
  if (needsCare(table, ended)) return 3;
  if (table.in_step === null) return NOT_KNOWN;
  return table.phase === "SNAPSHOT" || table.phase === "CATCH_UP" ? COPYING : IN_STEP;
}

const byName = (first, second) => first.table.localeCompare(second.table, "en", { numeric: true });

/** By the value of the list of orders: each compares two tables. Sorting is stable, and a name decides at last. */
export const ORDERS = {
  worst: (first, second, ended) => rank(first, ended(first)) - rank(second, ended(second)) || byName(first, second),
  name: byName,
  lag: (first, second) => (second.lag_s ?? Infinity) - (first.lag_s ?? Infinity) || byName(first, second),
  rows: (first, second) => second.rows - first.rows || byName(first, second),
};
