// Draws each chart in the colours of the page once it comes near the window, and again when the page turns from light to
// dark or back.
(() => {
  "use strict";
  const BLUE = "#0072B2", BLUE_ON_DARK = "#1f86cf"; // the one colour that is too dim on a dark page
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
    const whiskers = (own) => ({ ...own, color: ink, thickness: trace.type === "bar" ? 1.5 : 0.7, width: 3 });
    if (narrow.matches && trace.mode === "lines+markers+text") trace = { ...trace, mode: "lines+markers" };
    const found = ["error_x", "error_y"].filter((axis) => trace[axis]);
    return { ...trace, ...Object.fromEntries(found.map((axis) => [axis, whiskers(trace[axis])])) };
  }

  // The page contains Plotly in packed form. The browser unpacks it in its own threads when it is idle. Running its 5 MB
  // takes as long as the rest of the page, so that waits until the first chart comes near the window.
  let plotly = null, unpacking = null;

  function unpack() {
    unpacking ??= (async () => {
      const packed = atob(document.getElementById("plotly").textContent);
      const bytes = Uint8Array.from(packed, (letter) => letter.charCodeAt(0));
      plotly = await new Response(new Blob([bytes]).stream().pipeThrough(new DecompressionStream("gzip"))).text();
    })();
    return unpacking;
  }

  function withPlotly(use) { // at once if possible: a page that is about to be printed does not wait
    if (plotly === null) { unpack().then(() => withPlotly(use)); return; }
    if (!window.Plotly) document.head.append(Object.assign(document.createElement("script"), { textContent: plotly }));
    use();
  }

  const drawn = new Set();

  function draw(place) {
    drawn.add(place);
    withPlotly(() => plot(place));
  }

  function plot(place) {
    const text = document.getElementById(place.dataset.figure).textContent;
    const figure = JSON.parse(dark.matches ? text.replaceAll(BLUE, BLUE_ON_DARK) : text);
    Plotly.react(place, figure.data.map(inked), themed(figure.layout), { responsive: true, displayModeBar: false });
  }

  const places = [...document.querySelectorAll("[data-figure]")];
  const watcher = new IntersectionObserver((seen) => {
    for (const { target } of seen.filter((one) => one.isIntersecting)) {
      watcher.unobserve(target);
      if (!drawn.has(target)) draw(target);
    }
  }, { rootMargin: "600px" });

  places.forEach((place) => watcher.observe(place));
  const again = () => drawn.forEach(draw);
  dark.addEventListener("change", again);
  narrow.addEventListener("change", again);
  window.addEventListener("beforeprint", () => places.filter((place) => !drawn.has(place)).forEach(draw));

  if (places.length) window.addEventListener("load", () => (window.requestIdleCallback ?? setTimeout)(unpack)); // Safari has no such call
})();
