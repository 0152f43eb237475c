// Draws one chart of an open page once more, by itself: in the page's colours, on white, in a font that every reader has.
async (place, { format, width, scale }) => {
  for (let up = place; up; up = up.parentElement) if (up.tagName === "DETAILS") up.open = true;
  place.scrollIntoView(); // a page may draw a chart only when it comes into view
  for (let tries = 0; !place.data && tries < 200; tries += 1) await new Promise((done) => setTimeout(done, 50));
  const layout = {
    ...place.layout,
    font: { ...place.layout.font, family: "Helvetica, Arial, sans-serif" },
    paper_bgcolor: "#ffffff", plot_bgcolor: "#ffffff", width, height: place.layout.height || place.clientHeight,
  };
  return {
    figure: place.dataset.figure,
    section: place.closest("section, .group")?.querySelector("h2")?.textContent ?? "",
    image: await Plotly.toImage(
      { data: place.data, layout },
      { format, width: layout.width, height: layout.height, scale, imageDataOnly: true },
    ),
  };
}
