// The choice under given limits: it compares limits with figures that runner/report/recommendation.py has computed.
// A variant is named by its place; the fastest is 0.
const chooser = (data) => {
  "use strict";
  const { resamples: RESAMPLES, epsilon: EPSILON, measures: MEASURES } = data;

  // Whole numbers from base64: one byte each, or two (the lower first) if there can be more than 256.
  function unpack(text, below) {
    const bytes = Uint8Array.from(atob(text), (character) => character.charCodeAt(0));
    if (below <= 256) return bytes;
    return Uint16Array.from({ length: bytes.length / 2 }, (_, i) => bytes[2 * i] + 256 * bytes[2 * i + 1]);
  }

  // By which fraction of the limit a value misses it: 0 if not at all, infinite if it is not known.
  function excess(value, measure, limit) {
    if (value === null) return Infinity;
    const missed = (measure.at_least ? limit - value : value - limit) / Math.max(limit, measure.smallest);
    return missed > EPSILON ? missed : 0;
  }

  function prepare(choice) {
    const places = choice.label.map((_, place) => place);
    const value = (place, name) => choice.values[name][place];
    const rounds = (place) => choice.rounds[choice.block[place]];
    const noiseFloor = (place) => choice.noise_floor[choice.block[place]];
    const cost = (place, coreHour) => coreHour * choice.core_hours[place];

    let unpacked = null;
    function outcomes() {
      if (unpacked) return unpacked;
      const own = choice.outcomes;
      const series = own.series.map(([unit, steps, which]) => [unit, steps, which && unpack(which, steps.length)]);
      const order = unpack(own.order, own.variants.length);
      unpacked = { ...own, order, series, rounds: data.places[own.rounds], examples: data.places[own.examples] };
      return unpacked;
    }

    // Returns for a variant whether it keeps a limit in a resample.
    function keeps(variant, place, measure, limit) {
      const { series, series_of: of, rounds, examples } = outcomes();
      const [unit, steps, which] = series[of[measure.name][variant]], own = value(place, measure.name);
      const kept = steps.map((step) => excess(own + unit * step, measure, limit) === 0);
      const distinct = measure.scatters_with === "examples" ? examples : rounds;
      return (resample) => kept[which ? which[distinct[resample]] : 0];
    }

    // The share of resamples in which each possible variant is the best, and in which none fits.
    function shares(limits, limited, possible) {
      if (possible.some((place) => rounds(place) < 2)) return { shares: {}, none_fits: null, too_large: false };
      if (!possible.length) return { shares: {}, none_fits: 1, too_large: false };
      if (!choice.outcomes) return { shares: {}, none_fits: null, too_large: true };
      const { variants, order, rounds: distinct } = outcomes(), width = variants.length, rivals = new Set(possible);
      const scattering = limited.filter((measure) => measure.scatters_with !== "nothing");
      const tests = variants.map((place, variant) => rivals.has(place)
        && scattering.map((measure) => keeps(variant, place, measure, limits[measure.name])));
      const wins = new Map(possible.map((place) => [place, 0]));
      let none = 0;
      for (let resample = 0; resample < RESAMPLES; resample++) {
        const fits = (variant) => tests[variant] && tests[variant].every((test) => test(resample));
        let rank = distinct[resample] * width;
        const end = rank + width;
        while (rank < end && !fits(order[rank])) rank++;
        if (rank === end) none++;
        else wins.set(variants[order[rank]], wins.get(variants[order[rank]]) + 1);
      }
      const found = Object.fromEntries(possible.map((place) => [place, wins.get(place) / RESAMPLES]));
      return { shares: found, none_fits: none / RESAMPLES, too_large: false };
    }

    function ties(winner, fitting) {
      if (!choice.ties[winner] || fitting.some((place) => rounds(place) < 2)) return [];
      const bytes = unpack(choice.ties[winner], 256), bit = (i) => (bytes[i >> 3] >> (7 - (i & 7))) & 1;
      return fitting.filter((place) => place > winner && bit(place - winner - 1));
    }

    function choose(limits) {
      const limited = MEASURES.filter(({ name }) => name in limits);
      const excesses = places.map((place) =>
        limited.map((measure) => excess(value(place, measure.name), measure, limits[measure.name])));
      const fails = excesses.map((own) => limited.filter((_, i) => own[i] > 0).map(({ name }) => name));
      const largest = excesses.map((own) => Math.max(0, ...own));
      const fitting = places.filter((place) => !fails[place].length);
      const known = places.filter((place) => largest[place] < Infinity);
      const nearer = (best, place) => (largest[place] < largest[best] ? place : best);
      const fixed = limited.filter((measure) => measure.scatters_with === "nothing").map(({ name }) => name);
      const winner = fitting[0] ?? null, nearest = winner !== null || !known.length ? null : known.reduce(nearer);
      return {
        fails, winner, nearest,
        excess: nearest === null ? null : largest[nearest],
        excess_measure: nearest === null ? null : limited[excesses[nearest].indexOf(largest[nearest])].name,
        ...shares(limits, limited, known.filter((place) => !fails[place].some((name) => fixed.includes(name)))),
        ties: ties(winner, fitting),
      };
    }

    return { choice, choose, value, noiseFloor, cost };
  }

  return data.choices.map(prepare);
};
