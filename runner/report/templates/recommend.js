// Sliders and number fields for the limits. When one moves, the choice and its sentences follow.
(() => {
  "use strict";
  const section = document.getElementById("recommend");
  const data = JSON.parse(document.getElementById("recommend-data").textContent);
  const choosers = chooser(data), form = section.querySelector("form");
  const MAX_ROWS = 200, STEPS = 1000;

  // Three significant digits, never in scientific notation.
  function significant(value, digits = 3) {
    if (value === 0 || !Number.isFinite(value)) return String(value);
    const exponent = Math.floor(Math.log10(Math.abs(Number(value.toPrecision(digits)))));
    const decimals = Math.max(0, digits - 1 - exponent);
    const shown = { minimumFractionDigits: decimals, maximumFractionDigits: decimals };
    return Number(value.toPrecision(digits)).toLocaleString("en-US", shown);
  }
  const text = (measure, value, digits) =>
    significant(value / measure.factor, digits) + (["%", ""].includes(measure.unit) ? "" : " ") + measure.unit;
  const milliseconds = (seconds) => `${significant(seconds * 1e3)} ms`;
  const percent = (share) =>
    share === undefined ? "–" : share && share < 0.01 ? "<1%" : `${Math.round(100 * share)}%`;
  const pluralize = (number, noun) => `${number.toLocaleString("en-US")} ${noun}${number === 1 ? "" : "s"}`;
  const listed = (names, separator = ", ") => names.slice(0, data.max_named).join(separator)
    + (names.length > data.max_named ? ` and ${names.length - data.max_named} more` : "");
  const capital = (words) => words[0].toUpperCase() + words.slice(1);
  const sentence = (name, values = {}) => data.sentences[name].replace(/\{(\w+)\}/g, (_, key) => values[key]);

  function miss(measure, value, limit) {
    if (value === null) return `${measure.title} not known`;
    let digits = 3;
    while (digits < 11 && text(measure, value, digits) === text(measure, limit, digits)) digits++;
    const sign = measure.at_least ? "<" : ">";
    return `${measure.title} ${text(measure, value, digits)} ${sign} ${text(measure, limit, digits)}`;
  }

  // The measures that are shown for a choice: the loss of quality only where it is limited.
  const toldOf = (choice, limits) =>
    choice.measures.filter(({ name, only_limited: only }) => name in limits || !only);

  // How a variant misses each limit that it does not keep.
  const missesOf = (choice, value, chosen, limits, place) => choice.measures
    .filter(({ name }) => chosen.fails[place].includes(name))
    .map((measure) => [measure, value(place, measure.name)])
    .map(([measure, known]) => (measure.only_limited && known === null && choice.reasons[place])
      || miss(measure, known, limits[measure.name]));

  // The sentences of runner/recommend/messages.py.
  function sentences({ choice, value, noiseFloor, cost }, chosen, limits, coreHour) {
    const label = (place) => choice.label[place], told = toldOf(choice, limits);
    const misses = (place) => missesOf(choice, value, chosen, limits, place).join(", ");
    const figures = (place) => [`latency ${milliseconds(choice.latency_seconds[place])}`, ...told
      .map((measure) => [measure, value(place, measure.name)]).filter(([, own]) => own !== null)
      .map(([measure, own]) => `${measure.title} ${text(measure, own)}`)].join(", ");
    const resamples = data.resamples.toLocaleString("en-US"), { resampled } = choice;
    const { winner, nearest, shares } = chosen;
    const unsure = chosen.too_large ? sentence("too large") : chosen.none_fits === null ? sentence("one round") : null;

    if (winner === null) {
      if (nearest === null) return [sentence("no nearest")];
      const by = `${Number((100 * chosen.excess).toPrecision(3))}%`;
      const values = { label: label(nearest), misses: misses(nearest), excess: by, figures: figures(nearest) };
      if (unsure) return [sentence("nearest", values), unsure];
      if (!(nearest in shares)) return [sentence("nearest", values)]; // it misses a limit in every resample
      return [sentence("nearest", values), sentence("nearest share", { share: percent(shares[nearest]), resamples, resampled })];
    }

    const fitting = chosen.fails.flatMap((fails, place) => (fails.length ? [] : [place]));
    const variants = pluralize(chosen.fails.length, "variant"), written = [capital(figures(winner))];
    if (!choice.untested.includes(winner)) {
      const { margin_text: margin } = data, { score } = choice, reason = choice.reasons[winner];
      written.push(reason ? sentence("not certified", { reason }) : sentence("certified", { margin, score }));
    }
    if (!Object.keys(limits).length) {
      written.push(sentence("no limit", { variants }));
    } else {
      const reason = sentence(fitting.length === 1 ? "only one" : "fastest", { fitting: fitting.length, variants });
      const faster = choice.label.slice(0, winner).map((name, place) => `${name} (${misses(place)})`);
      written.push(faster.length ? `${reason} ${sentence("faster", { faster: listed(faster, "; ") })}` : reason);
    }

    if (unsure) {
      written.push(unsure);
    } else {
      const rivals = Object.keys(shares).map(Number).filter((place) => place !== winner && shares[place]);
      const next = rivals.length ? rivals.reduce((best, place) => (shares[place] > shares[best] ? place : best)) : null;
      const others = (next === null ? "" : sentence("next", { label: label(next), share: percent(shares[next]) }))
        + (chosen.none_fits ? sentence("none share", { share: percent(chosen.none_fits) }) : "");
      const best = sentence("best share", { share: percent(shares[winner]), resamples, resampled, others });
      const fewest = Math.min(...choice.rounds), few = sentence("few rounds", { rounds: pluralize(fewest, "round") });
      written.push(fewest < data.few_rounds ? `${best} ${few}` : best);
    }

    if (chosen.ties.length) {
      const floor = (100 * (Math.max(...[winner, ...chosen.ties].map(noiseFloor)) - 1)).toFixed(1);
      written.push(sentence("ties", { ties: listed(chosen.ties.map(label)), floor }));
    }
    if (coreHour !== null) {
      const cheapest = fitting.reduce((best, place) => (cost(place, coreHour) < cost(best, coreHour) ? place : best));
      const price = (place) => significant(cost(place, coreHour));
      const values = { label: label(cheapest), cost: price(cheapest) };
      const note = sentence(cheapest === winner ? "is cheapest" : "cheaper", values);
      written.push(sentence("cost", { cost: price(winner), price: coreHour, cheapest: note }));
    }
    return written;
  }

  function element(name, content, className = "") {
    const made = document.createElement(name);
    made.textContent = content;
    made.className = className;
    return made;
  }

  function drawTable(table, { choice, value, cost }, chosen, limits, coreHour) {
    const head = document.createElement("tr"), body = document.createElement("tbody");
    const told = toldOf(choice, limits), titles = ["Latency", ...told.map((measure) => measure.heading)];
    if (coreHour !== null) titles.push("Per million texts");
    head.append(element("th", "Variant", "first"), ...[...titles, "Best in"].map((title) => element("th", title)));
    const places = choice.label.map((_, place) => place), fits = (place) => !chosen.fails[place].length;
    const shown = [...places.filter(fits), ...places.filter((place) => !fits(place))];
    for (const place of shown.slice(0, MAX_ROWS)) {
      const row = document.createElement("tr"), name = element("th", choice.label[place]);
      name.scope = "row";
      row.className = fits(place) ? "" : "misses";
      const values = told.map((measure) => [measure, value(place, measure.name)]);
      const cells = [milliseconds(choice.latency_seconds[place]),
        ...values.map(([measure, known]) => (known === null ? "–" : text(measure, known)))];
      if (coreHour !== null) cells.push(significant(cost(place, coreHour)));
      cells.push(percent(chosen.shares[place]));
      const missed = missesOf(choice, value, chosen, limits, place);
      if (missed.length) name.append(element("small", missed.join(", ")));
      row.append(name, ...cells.map((cell) => element("td", cell)));
      body.append(row);
    }
    const top = document.createElement("thead");
    top.append(head);
    table.replaceChildren(top, body);
  }

  function draw() {
    const { limits, coreHour } = asked();
    for (const panel of section.querySelectorAll(".answer")) {
      if (panel.closest("details:not([open])")) continue; // chosen when it is opened
      const one = choosers[Number(panel.dataset.choice)], chosen = one.choose(limits), total = chosen.fails.length;
      const headline = chosen.winner === null ? sentence("none fits") : one.choice.label[chosen.winner];
      panel.classList.toggle("none", chosen.winner === null);
      const written = sentences(one, chosen, limits, coreHour).map((line) => element("p", line));
      panel.querySelector(".said").replaceChildren(element("p", headline, "headline"), ...written);
      const others = panel.querySelector(".others"), fit = chosen.fails.filter((fails) => !fails.length).length;
      const more = total - MAX_ROWS;
      others.querySelector("summary").textContent = `All ${pluralize(total, "variant")}: ${fit} fit, `
        + `${total - fit} do not` + (more > 0 ? `; the first ${MAX_ROWS} are shown` : "");
      others.hidden = false;
      const fill = () => drawTable(others.querySelector("table"), one, chosen, limits, coreHour);
      others.ontoggle = () => others.open && fill();
      if (others.open) fill();
    }
  }

  let waiting = false;
  function drawSoon() { // at most once per frame
    if (waiting) return;
    waiting = true;
    requestAnimationFrame(() => { waiting = false; draw(); });
  }

  const number = (field) => (field.value.trim() === "" || !field.validity.valid ? null : field.valueAsNumber);
  const quality = document.getElementById("quality"); // missing where no quality was tested
  const controls = data.measures.filter((measure) => !measure.only_limited).map((measure) => {
    const place = form.querySelector(`[data-measure="${measure.name}"]`);
    return { measure, place, slider: place.querySelector("[type=range]"), field: place.querySelector("[type=number]") };
  });

  function asked() {
    const limits = {};
    for (const { measure, field } of controls) {
      if (number(field) !== null) limits[measure.name] = number(field) * measure.factor;
    }
    if (quality?.value) limits[quality.value] = data.margin;
    return { limits, coreHour: number(document.getElementById("core-hour")) };
  }

  // The loose end of a slider means no limit. Its scale is that of the data: logarithmic if they span a decade.
  function connect({ measure, place, slider, field }) {
    const known = choosers.flatMap(({ choice }) => choice.values[measure.name])
      .filter((value) => value !== null).map((value) => value / measure.factor);
    place.hidden = !known.length;
    if (!known.length) return;
    const low = known.reduce((a, b) => Math.min(a, b)), high = known.reduce((a, b) => Math.max(a, b));
    const loose = measure.at_least ? 0 : STEPS, logarithmic = low > 0 && high / low >= 10;
    if (high === low) slider.disabled = true;
    const at = (step) => logarithmic ? low * (high / low) ** (step / STEPS) : low + ((high - low) * step) / STEPS;
    const along = (limit) =>
      logarithmic ? Math.log(limit / low) / Math.log(high / low) : (limit - low) / (high - low);
    const shown = () => (number(field) === null ? "any" : `${field.value} ${measure.unit}`);
    const describe = () => slider.setAttribute("aria-valuetext", shown());
    if (measure.at_least) field.max = 1 / measure.factor;
    slider.value = loose;
    describe();
    slider.addEventListener("input", () => {
      const step = Number(slider.value), exact = at(step);
      // Towards the loose side, so that the strict end still lets the best variant through.
      const unit = 10 ** (Math.floor(Math.log10(exact || 1)) - 2), round = measure.at_least ? Math.floor : Math.ceil;
      field.value = step === loose ? "" : Number((round(exact / unit) * unit).toPrecision(4));
      describe();
      drawSoon();
    });
    field.addEventListener("input", () => {
      const limit = number(field);
      const step = limit === null || high === low ? loose : STEPS * along(Math.max(limit, 1e-12));
      slider.value = Math.min(STEPS, Math.max(0, step));
      describe();
      drawSoon();
    });
    form.addEventListener("reset", () => { field.value = ""; slider.value = loose; describe(); drawSoon(); });
  }

  controls.forEach(connect);
  document.getElementById("core-hour").addEventListener("input", drawSoon);
  quality?.addEventListener("change", drawSoon);
  form.addEventListener("reset", () => { if (quality) quality.value = ""; drawSoon(); });
  form.addEventListener("submit", (event) => event.preventDefault());
  form.hidden = false;
  section.querySelector(".more")?.addEventListener("toggle", draw);
  draw();
})();
