"""The script that sorts tables when a title is pressed. A page works without it; nothing else is scripted.

Each table with `data-sort` gets a button in each title: the first press sorts upwards, the second downwards, the third
restores the order of the run. Rows that are folded below a table are sorted with it. What is no number stands last.
"""

import base64
import hashlib

SCRIPT = """
"use strict";
for (const table of document.querySelectorAll("table[data-sort]")) {
  const body = table.tBodies[0], titles = [...table.tHead.rows[0].cells];
  let rows = [...body.rows];
  const unfold = () => {
    const region = table.parentElement, more = region.nextElementSibling;
    if (more && more.matches("details.rows")) {
      rows = rows.concat(...[...more.querySelectorAll("tbody")].map(each => [...each.rows]));
      more.remove();
    }
  };
  const number = cell => {
    const read = parseFloat(cell.replace(/[,<✓✗\\s]/g, "").replace("infinite", "Infinity"));
    return Number.isNaN(read) ? null : read;
  };
  const key = (row, at, numbers) => numbers ? number(row.cells[at].textContent) : row.cells[at].textContent;
  const compare = (a, b) => typeof a === "number" ? a - b : a.localeCompare(b, undefined, { numeric: true });
  titles.forEach((title, at) => {
    const button = document.createElement("button");
    button.type = "button";
    button.append(...title.childNodes);
    title.append(button);
    button.addEventListener("click", () => {
      unfold();
      const next = { none: "ascending", ascending: "descending", descending: "none" };
      const order = next[title.getAttribute("aria-sort") || "none"];
      for (const each of titles) each.removeAttribute("aria-sort");
      if (order !== "none") title.setAttribute("aria-sort", order);
      const sign = order === "descending" ? -1 : 1, numbers = title.classList.contains("n");
      const keys = new Map(rows.map(row => [row, key(row, at, numbers)]));
      const sorted = order === "none" ? rows : [...rows].sort((a, b) => {
        const [first, second] = [keys.get(a), keys.get(b)];
        return first === null || second === null ? (first === null) - (second === null) : sign * compare(first, second);
      });
      body.append(...sorted);
    });
  });
}
"""

#: What the policy of the page allows: this script and no other.
SOURCE = f"'sha256-{base64.b64encode(hashlib.sha256(SCRIPT.encode()).digest()).decode('ascii')}'"
