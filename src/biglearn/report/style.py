"""Looks and script of a report: for a desk, a phone and paper, without anything from outside."""

#: No address is ever asked for anything.
POLICY = "default-src 'none'; img-src data:; style-src 'unsafe-inline'; script-src 'unsafe-inline'"

STYLE = """
:root { color-scheme: light; --ink: #22303c; --soft: #5d6a75; --line: #d8dee3; --mark: #0072b2;
  --warn: #a84300; }
* { box-sizing: border-box; }
html { -webkit-text-size-adjust: 100%; }
body { margin: 0 auto; max-width: 60rem; padding: 1.5rem 1.2rem 3rem; color: var(--ink);
  background: #fff; font: 1rem/1.55 system-ui, -apple-system, "Segoe UI", "Liberation Sans",
  Arial, sans-serif; overflow-wrap: break-word; }
h1 { font-size: 1.8rem; line-height: 1.2; margin: 0 0 .3rem; }
h2 { font-size: 1.3rem; margin: 2.6rem 0 .6rem; padding-top: .6rem;
  border-top: 1px solid var(--line); }
h3 { font-size: 1.05rem; margin: 1.6rem 0 .3rem; }
p, ul { margin: .5rem 0; max-width: 46rem; }
.soft, figcaption, .note, footer { color: var(--soft); font-size: .9rem; }
nav { margin: 1rem 0; font-size: .95rem; }
nav a { color: var(--mark); margin-right: .9rem; white-space: nowrap; text-decoration: none; }
.cards { display: grid; grid-template-columns: repeat(auto-fit, minmax(6.8rem, 1fr)); gap: .7rem;
  margin: 1.2rem 0; }
.card { border: 1px solid var(--line); border-radius: .5rem; padding: .6rem .8rem; }
.card b { display: block; font-size: 1.45rem; line-height: 1.25; }
.card.warn b, .warn { color: var(--warn); }
.card span { color: var(--soft); font-size: .85rem; }
figure { margin: 1.2rem 0; }
figure img { max-width: 100%; height: auto; display: block; }
figcaption { max-width: 46rem; margin-top: .3rem; }
.scroll { overflow-x: auto; margin: .8rem 0; }
table { border-collapse: collapse; font-size: .92rem; font-variant-numeric: tabular-nums; }
caption { text-align: left; font-weight: 600; padding-bottom: .3rem; }
th, td { padding: .3rem .7rem; text-align: right; border-bottom: 1px solid var(--line);
  vertical-align: top; }
th.text, td.text { text-align: left; }
td { white-space: nowrap; }
td.text { white-space: normal; }
td.text:last-child:not(:first-child) { min-width: 14rem; }
.groups { list-style: none; padding: 0; }
.groups li { margin: .7rem 0; padding-left: .8rem; border-left: .35rem solid var(--line); }
thead th { border-bottom: 2px solid var(--soft); white-space: nowrap; }
thead th button { font: inherit; font-weight: 600; color: inherit; background: none; border: 0;
  padding: 0; cursor: pointer; }
thead th button::after { content: " \\2195"; color: var(--line); }
thead th[aria-sort=ascending] button::after { content: " \\2191"; color: var(--mark); }
thead th[aria-sort=descending] button::after { content: " \\2193"; color: var(--mark); }
pre { background: #f4f6f8; padding: .7rem .9rem; border-radius: .4rem; overflow-x: auto;
  font-size: .88rem; line-height: 1.5; }
code { font-family: ui-monospace, "DejaVu Sans Mono", Menlo, Consolas, monospace; }
dt { font-weight: 600; margin-top: .6rem; }
dd { margin: 0 0 0 1rem; max-width: 46rem; }
@media (max-width: 36rem) {
  body { padding: 1rem .8rem 2rem; }
  h1 { font-size: 1.4rem; }
  th, td { padding: .3rem .45rem; }
}
@media print {
  body { max-width: none; padding: 0; font-size: 10pt; }
  nav, thead th button::after { display: none; }
  h2 { break-after: avoid; }
  figure, tr, .card { break-inside: avoid; }
  figure img { max-height: 15cm; }
  .scroll { overflow: visible; }
  pre { white-space: pre-wrap; }
}
"""

#: A click on the head of a column sorts its table by it, and again the other way round.
SCRIPT = """
document.querySelectorAll("table.sortable").forEach(function (table) {
  table.querySelectorAll("thead th").forEach(function (head, column) {
    var button = document.createElement("button");
    button.type = "button";
    button.textContent = head.textContent;
    head.textContent = "";
    head.appendChild(button);
    button.addEventListener("click", function () {
      var down = head.getAttribute("aria-sort") === "ascending";
      table.querySelectorAll("thead th").forEach(function (other) {
        other.removeAttribute("aria-sort");
      });
      head.setAttribute("aria-sort", down ? "descending" : "ascending");
      function key(row) {
        var cell = row.cells[column];
        var value = parseFloat(cell.dataset.value);
        return isNaN(value) ? cell.textContent : value;
      }
      var rows = Array.from(table.tBodies[0].rows);
      rows.sort(function (a, b) {
        var x = key(a), y = key(b);
        var order = typeof x === "number" && typeof y === "number"
          ? x - y : String(x).localeCompare(String(y), undefined, {numeric: true});
        return down ? -order : order;
      });
      rows.forEach(function (row) { table.tBodies[0].appendChild(row); });
    });
  });
});
"""
