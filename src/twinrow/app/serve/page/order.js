// In which order the tables stand, and which of them need somebody; `twinrow status` has the same order.

const NOT_KNOWN = 4;
const IN_STEP = 5;

export const needsCare = (table, ended) => table.troubles.some((trouble) => trouble.bad) || ended !== "";

/** How bad a table stands: 0 is the worst. `ended` is why its sync ended in this process, if it did. */
function rank(table, ended) {
  if (table.phase === "BROKEN" || ended !== "") return 0;
  if (table.phase === "STOPPED") return 1;
  if (table.in_step === false) return 2;
  if (needsCare(table, ended)) return 3;
  return table.in_step === null ? NOT_KNOWN : IN_STEP;
}

const byName = (one, other) => one.table.localeCompare(other.table, "en", { numeric: true });

/** By the value of the list of orders: each compares two tables. Sorting is stable, and a name decides at last. */
export const ORDERS = {
  worst: (one, other, ended) => rank(one, ended(one)) - rank(other, ended(other)) || byName(one, other),
  name: byName,
  lag: (one, other) => (other.lag_s ?? Infinity) - (one.lag_s ?? Infinity) || byName(one, other),
  rows: (one, other) => other.rows - one.rows || byName(one, other),
};
