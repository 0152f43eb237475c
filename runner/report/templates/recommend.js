// Sliders and number fields for the limits; the answers follow. The sentences are those of runner/recommend/messages.py.
(() => {
  "use strict";
  const section = document.getElementById("recommend");
  const data = JSON.parse(document.getElementById("recommend-data").textContent);
  const choosers = chooser(data), form = section.querySelector("form");
  const NAMED = 3, FEW_ROUNDS = 5, MAX_ROWS = 200, MAX_AHEAD = 3, STEPS = 1000;

  // Three significant digits, never in scientific notation.
  function significant(value, digits = 3) {
    if (value === 0 || !Number.isFinite(value)) return String(value);
    const exponent = Math.floor(Math.log10(Math.abs(Number(value.toPrecision(digits)))));
    const decimals = Math.max(0, digits - 1 - exponent);
    const shown = { minimumFractionDigits: decimals, maximumFractionDigits: decimals };
    return Number(value.toPrecision(digits)).toLocaleString("en-US", shown);
  }
  const text = (measure, value, digits) =>
    significant(value / measure.factor, digits) + (measure.unit === "%" ? "" : " ") + measure.unit;
  const milliseconds = (seconds) => `${significant(seconds * 1e3)} ms`;
  const share = (part) =>
    part === null || part === undefined ? "–" : part && part < 0.01 ? "<1%" : `${Math.round(100 * part)}%`;
  const pluralize = (number, noun) => `${number.toLocaleString("en-US")} ${noun}${number === 1 ? "" : "s"}`;
  const listed = (names, separator = ", ") =>
    names.slice(0, NAMED).join(separator) + (names.length > NAMED ? ` and ${names.length - NAMED} more` : "");

  const capital = (words) => words[0].toUpperCase() + words.slice(1);

  function miss(measure, value, limit) {
    if (value === null) return `${measure.title} not known`;
    let digits = 3;
    while (digits < 11 && text(measure, value, digits) === text(measure, limit, digits)) digits++;
    const sign = measure.at_least ? "<" : ">";
    return `${measure.title} ${text(measure, value, digits)} ${sign} ${text(measure, limit, digits)}`;
  }

  function sentences(one, answer, limits, coreHour) {
    const { question, value, cost } = one, label = (place) => question.label[place];
    const misses = (place) => data.measures.filter((measure) => answer.fails[place].includes(measure.name))
      .map((measure) => miss(measure, value(place, measure.name), limits[measure.name])).join(", ");
    const figures = (place) => [`latency ${milliseconds(question.latency_seconds[place])}`, ...data.measures
      .map((measure) => [measure, value(place, measure.name)]).filter(([, own]) => own !== null)
      .map(([measure, own]) => `${measure.title} ${text(measure, own)}`)].join(", ");
    const draws = data.draws.toLocaleString("en-US"), unsure = "One round says nothing of how sure that is.";
    const { winner, nearest } = answer;

    if (winner === null) {
      if (nearest === null) return ["No nearest miss: no variant is known in all that was limited."];
      const by = `${Number((100 * answer.excess).toPrecision(3))}%`;
      const missed = `${misses(nearest)}; by ${by} of the limit`;
      const said = [`Nearest miss: ${label(nearest)} (${missed}). It has ${figures(nearest)}.`];
      if (answer.none_fits === null) return [...said, unsure];
      const chance = answer.probability[nearest]; // none for one that misses what no resampling moves
      if (chance === undefined) return said;
      const often = `${share(chance)} of ${draws} resamples of rounds and texts`;
      return [...said, `It keeps them all, and is the fastest, in ${often}.`];
    }

    const fitting = answer.order.filter((place) => !answer.fails[place].length), total = answer.order.length;
    const said = [capital(figures(winner))];
    if (!Object.keys(limits).length) {
      said.push(`The fastest of ${pluralize(total, "variant")}; no limit was given.`);
    } else {
      const who = fitting.length === 1 ? "The only one that keeps" : `The fastest of ${fitting.length} that keep`;
      const faster = answer.order.slice(0, answer.order.indexOf(winner))
        .map((place) => `${label(place)} (${misses(place)})`);
      const but = faster.length ? ` Faster, but: ${listed(faster, "; ")}.` : "";
      said.push(`${who} every limit, out of ${pluralize(total, "variant")}.${but}`);
    }

    if (answer.none_fits === null) {
      said.push(unsure);
    } else {
      const rivals = Object.keys(answer.probability).map(Number).filter((place) => place !== winner);
      const chance = (place) => answer.probability[place] ?? 0;
      const next = rivals.reduce((best, place) => (chance(place) > chance(best) ? place : best), null);
      const parts = [`Best in ${share(answer.probability[winner])} of ${draws} resamples of rounds and texts`];
      if (next !== null) parts.push(`next ${label(next)}, ${share(answer.probability[next])}`);
      if (answer.none_fits) parts.push(`none fits in ${share(answer.none_fits)}`);
      const rounds = Math.min(...question.blocks.map((block) => block.rounds));
      const few = rounds < FEW_ROUNDS ? ` ${pluralize(rounds, "round")}: take that as rough.` : "";
      said.push(`${parts.join("; ")}.${few}`);
    }

    if (answer.ties.length) {
      const floorOf = (place) => question.blocks[question.block[place]].floor ?? 0;
      const floor = Math.max(...[winner, ...answer.ties].map(floorOf));
      const percent = (100 * Math.expm1(floor * data.step)).toFixed(1);
      said.push(`As fast, as far as one can tell: ${listed(answer.ties.map(label))} (noise floor ${percent}%).`);
    }
    if (coreHour !== null) {
      const cheapest = fitting.reduce((best, place) => (cost(place, coreHour) < cost(best, coreHour) ? place : best));
      const own = `A million texts cost ${significant(cost(winner, coreHour))}, at ${coreHour} per core-hour and full use`;
      said.push(cheapest === winner ? `${own}: the cheapest, too.`
        : `${own}. Cheapest that fits: ${label(cheapest)}, ${significant(cost(cheapest, coreHour))}.`);
    }
    return said;
  }

  function element(name, content, className = "") {
    const made = document.createElement(name);
    made.textContent = content;
    made.className = className;
    return made;
  }

  function drawTable(place, one, answer, limits, coreHour) {
    const { question, value, cost } = one, head = document.createElement("tr"), body = document.createElement("tbody");
    const titles = ["Latency", ...data.measures.map((measure) => capital(measure.title))];
    if (coreHour !== null) titles.push("Per million texts");
    head.append(element("th", "Variant", "first"), ...[...titles, "Best in"].map((title) => element("th", title)));
    const fits = (own) => !answer.fails[own].length;
    const shown = [...answer.order.filter(fits), ...answer.order.filter((own) => !fits(own))];
    for (const own of shown.slice(0, MAX_ROWS)) {
      const row = document.createElement("tr"), name = element("th", question.label[own]);
      name.scope = "row";
      row.className = answer.fails[own].length ? "misses" : "";
      const values = data.measures.map((measure) => [measure, value(own, measure.name)]);
      const cells = [milliseconds(question.latency_seconds[own]),
        ...values.map(([measure, known]) => (known === null ? "–" : text(measure, known)))];
      if (coreHour !== null) cells.push(significant(cost(own, coreHour)));
      cells.push(share(answer.probability[own]));
      const missed = values.filter(([measure]) => answer.fails[own].includes(measure.name))
        .map(([measure, known]) => miss(measure, known, limits[measure.name]));
      if (missed.length) name.append(element("small", missed.join(", ")));
      row.append(name, ...cells.map((cell) => element("td", cell)));
      body.append(row);
    }
    const top = document.createElement("thead");
    top.append(head);
    place.replaceChildren(top, body);
  }

  function draw() {
    const { limits, coreHour } = asked();
    for (const place of section.querySelectorAll(".answer")) {
      if (place.closest("details:not([open])")) continue; // answered when it is opened
      const one = choosers[Number(place.dataset.question)], answer = one.choose(limits);
      const headline = answer.winner === null ? "No variant keeps every limit." : one.question.label[answer.winner];
      place.classList.toggle("none", answer.winner === null);
      const said = sentences(one, answer, limits, coreHour).map((sentence) => element("p", sentence));
      place.querySelector(".said").replaceChildren(element("p", headline, "headline"), ...said);
      const others = place.querySelector(".others"), fit = answer.fails.filter((fails) => !fails.length).length;
      const more = answer.order.length - MAX_ROWS;
      others.querySelector("summary").textContent = `All ${pluralize(answer.order.length, "variant")}: ${fit} fit, `
        + `${answer.order.length - fit} do not` + (more > 0 ? `; the first ${MAX_ROWS} are shown` : "");
      others.hidden = false;
      const fill = () => drawTable(others.querySelector("table"), one, answer, limits, coreHour);
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
  const controls = data.measures.map((measure) => {
    const place = form.querySelector(`[data-measure="${measure.name}"]`);
    return { measure, place, slider: place.querySelector("[type=range]"), field: place.querySelector("[type=number]") };
  });

  function asked() {
    const limits = {};
    for (const { measure, field } of controls) {
      if (number(field) !== null) limits[measure.name] = number(field) * measure.factor;
    }
    return { limits, coreHour: number(document.getElementById("core-hour")) };
  }

  // A slider's loose end is no limit; its scale is that of the data, logarithmic where that spans a decade.
  function connect({ measure, place, slider, field }) {
    const known = choosers.flatMap(({ question, value }) => question.label.map((_, own) => value(own, measure.name)))
      .filter((own) => own !== null).map((own) => own / measure.factor);
    place.hidden = !known.length;
    if (!known.length) return;
    const low = known.reduce((a, b) => Math.min(a, b)), high = known.reduce((a, b) => Math.max(a, b));
    const loose = measure.at_least ? 0 : STEPS, logarithmic = low > 0 && high / low >= 10;
    if (high === low) slider.disabled = true;
    const at = (step) => logarithmic ? low * (high / low) ** (step / STEPS) : low + ((high - low) * step) / STEPS;
    const share = (own) => logarithmic ? Math.log(own / low) / Math.log(high / low) : (own - low) / (high - low);
    const shown = () => (number(field) === null ? "any" : `${field.value} ${measure.unit}`);
    const say = () => slider.setAttribute("aria-valuetext", shown());
    if (measure.at_least) field.max = 100;
    slider.value = loose;
    say();
    slider.addEventListener("input", () => {
      const step = Number(slider.value), exact = at(step);
      // Towards the loose side, so that the strict end still lets the best variant through.
      const unit = 10 ** (Math.floor(Math.log10(exact || 1)) - 2), round = measure.at_least ? Math.floor : Math.ceil;
      field.value = step === loose ? "" : Number((round(exact / unit) * unit).toPrecision(4));
      say();
      drawSoon();
    });
    field.addEventListener("input", () => {
      const own = number(field);
      const step = own === null || high === low ? loose : STEPS * share(Math.max(own, 1e-12));
      slider.value = Math.min(STEPS, Math.max(0, step));
      say();
      drawSoon();
    });
    form.addEventListener("reset", () => { field.value = ""; slider.value = loose; say(); drawSoon(); });
  }

  controls.forEach(connect);
  document.getElementById("core-hour").addEventListener("input", drawSoon);
  form.addEventListener("reset", drawSoon);
  form.addEventListener("submit", (event) => event.preventDefault());
  form.hidden = false;
  section.querySelector(".more")?.addEventListener("toggle", draw);
  draw();

  // Resample while nobody waits, a few milliseconds at a time: else the first move of a slider would.
  function* ahead() { for (const one of choosers.slice(0, MAX_AHEAD)) yield* one.ahead(); }
  const work = ahead();
  const soon = window.requestIdleCallback ?? ((go) => setTimeout(() => go({ timeRemaining: () => 0 }), 50)); // Safari
  const goOn = (deadline) => {
    while (!work.next().done) if (deadline.timeRemaining() < 2) return soon(goOn);
    return null;
  };
  soon(goOn);
})();
