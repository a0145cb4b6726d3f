// Makes tables sortable by their headers: once, twice and back to the order they were written in. Without this script
// the page is the same, but for that.
"use strict";
for (const table of document.querySelectorAll("table.sort")) {
  const body = table.tBodies[0];
  const written = [...body.rows];
  if (written.length < 2) continue;
  const heads = [...table.tHead.rows[0].cells];
  const words = new Intl.Collator("en", { numeric: true });
  const key = (row, column) => {
    const cell = row.cells[column];
    const text = (cell.dataset.key ?? cell.textContent).trim();
    const number = /^[+-]?\d+(\.\d+)?(e[+-]?\d+)?(?=$|[\s%/])/.exec(text);
    return { text, number: number ? Number(number[0]) : NaN, none: text === "" || text === "-" };
  };
  const compare = (a, b) => {
    const numbers = a.number - b.number;
    if (!Number.isNaN(numbers)) return numbers;
    if (Number.isNaN(a.number) !== Number.isNaN(b.number)) return Number.isNaN(a.number) ? 1 : -1;
    return words.compare(a.text, b.text);
  };
  heads.forEach((head, column) => {
    if (head.tagName !== "TH" || head.textContent.trim() === "") return;
    const button = document.createElement("button");
    button.type = "button";
    button.title = "Sort";
    button.append(...head.childNodes);
    head.append(button);
    button.addEventListener("click", () => {
      const next = { ascending: "descending", descending: "none" };
      const order = next[head.getAttribute("aria-sort")] ?? "ascending";
      heads.forEach((other) => other.removeAttribute("aria-sort"));
      let rows = written;
      if (order !== "none") {
        head.setAttribute("aria-sort", order);
        const sign = order === "ascending" ? 1 : -1;
        const keyed = written.map((row) => [key(row, column), row]);
        // What has no value stays at the end in both directions.
        keyed.sort(([a], [b]) => a.none - b.none || (a.none ? 0 : sign * compare(a, b)));
        rows = keyed.map(([, row]) => row);
      }
      table.classList.toggle("sorted", order !== "none");
      body.append(...rows);
    });
  });
  table.classList.add("sortable");
}
// What is folded away is printed, but not the longest lists, which are folded twice.
const folded = () => document.querySelectorAll("main > details:not([open])");
let opened = [];
addEventListener("beforeprint", () => {
  opened = [...folded()];
  opened.forEach((details) => { details.open = true; });
});
addEventListener("afterprint", () => opened.forEach((details) => { details.open = false; }));
