// The predictions of the variants: a gallery of changes, which can be filtered by variant and by kind, and matrices.
(() => {
  "use strict";
  const PAGE = 25;
  const KINDS = { negative: "negative flips: only the baseline is right", positive: "positive flips: only the variant is right", other: "other changes" };

  const element = (name, attributes, ...children) => {
    const made = Object.assign(document.createElement(name), attributes);
    made.append(...children);
    return made;
  };

  function gallery(place) {
    const { texts, variants } = JSON.parse(document.getElementById(place.dataset.gallery).textContent);
    const all = variants.flatMap(({ label, changes }) => changes.map((change) => ({ label, change })));
    const order = Object.keys(KINDS);
    all.sort((a, b) => order.indexOf(a.change[6]) - order.indexOf(b.change[6]));
    const total = variants.reduce((sum, { changed }) => sum + changed, 0);
    const body = element("tbody", {});
    const said = element("p", { className: "muted", role: "status" });
    const more = element("button", { type: "button", className: "more", textContent: "Show more" });
    let shown = PAGE;

    const choice = (name, first, options) => {
      const made = element("select", {}, element("option", { value: "" }, first));
      for (const [value, text] of options) made.append(element("option", { value }, text));
      made.onchange = () => { shown = PAGE; draw(); };
      return [made, element("label", {}, `${name} `, made)];
    };
    const [variant, variantLabel] = choice("Variant", "all", variants.map((one) => [one.label, `${one.label} (${one.changed})`]));
    const [kind, kindLabel] = choice("Kind", "all", Object.entries(KINDS));

    const side = (prediction, probability, label) => {
      const cell = element("td", {});
      if (prediction === null) { cell.append("–"); return cell; }
      cell.append(label === null ? prediction : `${prediction} ${prediction === label ? "✓" : "✗"}`);
      if (probability !== null) cell.append(element("small", {}, `${Math.round(100 * probability)}%`));
      return cell;
    };

    function draw() {
      const found = all.filter(({ label, change }) =>
        (!variant.value || label === variant.value) && (!kind.value || change[6] === kind.value));
      body.replaceChildren(...found.slice(0, shown).map(({ label, change }) => {
        const [text, truth, basePrediction, baseProbability, prediction, probability, own] = change;
        return element("tr", { className: own },
          element("td", { className: "text" }, texts[text]), element("td", {}, truth === null ? "–" : truth),
          side(basePrediction, baseProbability, truth), side(prediction, probability, truth), element("td", {}, label));
      }));
      more.hidden = found.length <= shown;
      const rest = all.length < total ? `; predictions.parquet has all ${total.toLocaleString()}` : "";
      const changes = found.length === 1 ? "change" : "changes";
      said.textContent = `${Math.min(shown, found.length)} of ${found.length.toLocaleString()} ${changes} shown${rest}.`;
    }

    more.onclick = () => { shown += 4 * PAGE; draw(); };
    draw();
    const head = ["Text", "Label", "Baseline", "Variant", "Whose"].map((title) => element("th", { scope: "col" }, title));
    place.replaceChildren(
      element("div", { className: "bar" }, variantLabel, kindLabel), said,
      element("div", { className: "scroll", tabIndex: 0 },
        element("table", { className: "moved" }, element("thead", {}, element("tr", {}, ...head)), body)), more);
  }

  // A row is a true label, and a column a predicted one.
  function matrices(place) {
    const { names, matrices: found } = JSON.parse(document.getElementById(place.dataset.matrices).textContent);
    const row = (name, counts) => {
      const total = counts.reduce((sum, count) => sum + count, 0) || 1;
      const cells = counts.map((count) => {
        const cell = element("td", {}, count);
        cell.style.setProperty("--share", (count / total).toFixed(3));
        return cell;
      });
      return element("tr", {}, element("th", { scope: "row" }, name), ...cells);
    };
    const titles = () => names.map((name) => element("th", { scope: "col" }, name));
    place.replaceChildren(...found.map(({ label, note, counts }) => element("table", { className: "matrix" },
      element("caption", {}, label, element("small", {}, note)),
      element("thead", {}, element("tr", {}, element("td", {}), ...titles())),
      element("tbody", {}, ...counts.map((own, index) => row(names[index], own))))));
  }

  drawOpened("[data-gallery]", gallery);
  drawOpened("[data-matrices]", matrices);
})();
