// Tables that sort, filter and hide columns. They are drawn a page of rows at a time, and folded ones when they are opened,
// so that 10,000 rows stay quick.
(() => {
  "use strict";
  const PAGE = 60;
  const SMALL = 8; // rows up to which nobody needs a filter

  const element = (name, attributes = {}, ...children) => {
    const made = document.createElement(name);
    for (const [key, value] of Object.entries(attributes)) {
      if (key in made && key !== "list") made[key] = value; else made.setAttribute(key, value);
    }
    made.append(...children);
    return made;
  };

  function table(place) {
    const { columns, rows } = JSON.parse(document.getElementById(place.dataset.table).textContent);
    const notes = columns.map((_, index) =>
      rows.reduce((longest, { cells }) => Math.max(longest, (cells[index][1] || "").length), 0));
    const hidden = new Set(columns.flatMap((column, index) => (column.hidden ? [index] : [])));
    const body = element("tbody");
    const more = element("button", { type: "button", className: "more" });
    const count = element("span", { className: "muted", role: "status" });
    let [sorted, descending, wanted, shown] = [null, false, "", PAGE];

    const value = (row) => (sorted === -1 ? row.label : row.values[sorted]);
    const compare = (a, b) => {
      const [one, other] = [value(a), value(b)];
      if (one === null || other === null) return (one === null) - (other === null); // unknown ones last, either way
      const order = typeof one === "string" ? one.localeCompare(other) : one - other;
      return descending ? -order : order;
    };
    const words = () => wanted.toLowerCase().split(/\s+/).filter(Boolean);
    const matches = (row, all) => {
      const text = `${row.label} ${row.verdict || ""} ${row.problem || ""}`.toLowerCase();
      return all.every((word) => text.includes(word));
    };

    function draw() {
      const found = rows.filter((row) => matches(row, words()));
      if (sorted !== null) found.sort(compare);
      body.replaceChildren(...found.slice(0, shown).map(line));
      more.hidden = found.length <= shown;
      more.textContent = `Show ${Math.min(found.length - shown, 10 * PAGE).toLocaleString()} more`;
      count.textContent = found.length < rows.length ? `${found.length.toLocaleString()} of ${rows.length.toLocaleString()}` : "";
      for (const [index, heading] of headings.entries()) {
        const own = sorted === index - 1;
        heading.setAttribute("aria-sort", own ? (descending ? "descending" : "ascending") : "none");
        heading.hidden = hidden.has(index - 1);
      }
    }

    function line(row) {
      const name = element("th", { scope: "row" }, row.label);
      if (row.verdict) name.append(element("small", { className: "verdict" }, row.verdict));
      if (row.problem) name.append(element("small", { className: row.bad ? "bad" : "" }, row.problem));
      const made = element("tr", { className: (row.verdict || "").replace(" ", "-") }, name);
      row.cells.forEach(([text, note, hint], index) => {
        if (hidden.has(index)) return;
        const cell = element("td", hint ? { title: hint } : {}, text);
        cell.style.setProperty("--note", `${notes[index]}ch`); // so that figures stand below each other beside their notes
        if (notes[index]) cell.append(element("small", {}, note || ""));
        made.append(cell);
      });
      return made;
    }

    function sortBy(index) {
      if (sorted === index) descending = !descending; else [sorted, descending] = [index, false];
      draw();
    }

    const heading = (title, explanation, index) =>
      element("th", { scope: "col", className: index < 0 ? "first" : "" },
        element("button", { type: "button", title: explanation, onclick: () => sortBy(index) }, title));
    const headings = [heading("Variant", "by name", -1), ...columns.map((c, i) => heading(c.title, c.explanation, i))];
    const made = element("table", { className: place.dataset.class || "figures" },
      element("thead", {}, element("tr", {}, ...headings)), body);

    const bar = element("div", { className: "bar" });
    if (rows.length > SMALL) {
      bar.append(element("input", {
        type: "search", placeholder: "Filter: onnx faster", ariaLabel: "Filter the rows by words",
        oninput: (event) => { wanted = event.target.value; shown = PAGE; draw(); },
      }), count);
    }
    if (hidden.size) bar.append(picker());
    more.onclick = () => { shown += 10 * PAGE; draw(); };
    draw();
    place.replaceChildren(bar, element("div", { className: "scroll", tabIndex: 0 }, made), more);

    function picker() {
      const boxes = columns.map((column, index) =>
        element("label", { title: column.explanation },
          element("input", {
            type: "checkbox", checked: !hidden.has(index),
            onchange: (event) => { if (event.target.checked) hidden.delete(index); else hidden.add(index); draw(); },
          }), ` ${column.title}`));
      return element("details", { className: "columns" }, element("summary", {}, "Columns"), element("div", {}, ...boxes));
    }
  }

  drawOpened("[data-table]", table);
})();
