// Draws every chart in the colours of the page, and again when the page turns from light to dark or back.
(() => {
  "use strict";
  const narrow = window.matchMedia("(max-width: 760px)");
  const dark = window.matchMedia("(prefers-color-scheme: dark)");

  function themed(layout) {
    const style = getComputedStyle(document.documentElement);
    const colour = (name) => style.getPropertyValue(name).trim();
    const axis = (own) => ({
      gridcolor: colour("--line"), zerolinecolor: colour("--muted"), linecolor: colour("--line"),
      automargin: true, fixedrange: true, tickangle: 0, ...own,
    });
    return {
      ...layout,
      xaxis: axis(layout.xaxis), yaxis: axis(layout.yaxis),
      shapes: (layout.shapes || []).map((shape) => ({ ...shape, line: { ...shape.line, color: colour("--ink") } })),
      paper_bgcolor: "rgba(0,0,0,0)", plot_bgcolor: "rgba(0,0,0,0)",
      font: { color: colour("--ink"), size: narrow.matches ? 11 : 12, family: "inherit" },
      hoverlabel: { bgcolor: colour("--panel"), bordercolor: colour("--line"), font: { color: colour("--ink") } },
      legend: narrow.matches ? { orientation: "h", y: -0.2 } : {},
      margin: { l: 8, r: 16, t: 8, b: 44 },
      height: layout.height + (narrow.matches && layout.showlegend ? 200 : 0),
      showlegend: Boolean(layout.showlegend),
    };
  }

  function inked(trace) {
    const ink = getComputedStyle(document.documentElement).getPropertyValue("--ink").trim();
    return trace.error_x ? { ...trace, error_x: { ...trace.error_x, color: ink, thickness: 1.5, width: 3 } } : trace;
  }

  function drawAll() {
    for (const place of document.querySelectorAll("[data-figure]")) {
      const figure = JSON.parse(document.getElementById(place.dataset.figure).textContent);
      Plotly.react(place, figure.data.map(inked), themed(figure.layout), { responsive: true, displayModeBar: false });
    }
  }

  drawAll();
  dark.addEventListener("change", drawAll);
  narrow.addEventListener("change", drawAll);
})();
