// The choice of runner/recommend/choose.py and draws.py, to the last digit: change both. All that is added up are whole
// numbers, so the order does not matter. `data` is that of runner/report/recommendation.py.
const chooser = (data) => {
  "use strict";
  const { draws: DRAWS, step: STEP, contenders: CONTENDERS, epsilon: EPSILON, measures: MEASURES } = data;
  const ROUNDS_SEED = 1, EXAMPLES_SEED = 2;

  const MAX_KEPT = 1000; // of the variants' draws, 8 kB each
  const once = (cache, key, make) => {
    if (!cache.has(key)) {
      const made = make();
      if (cache.size >= MAX_KEPT) cache.clear();
      cache.set(key, made);
    }
    return cache.get(key);
  };
  const sum = (values) => values.reduce((total, value) => total + value, 0);
  const rounded = (value) => Math.floor(value + 0.5);
  const median = (values) => { // of a typed array, which it sorts: by insertion, for they are few and many times
    for (let i = 1; i < values.length; i++) {
      const own = values[i];
      let at = i;
      for (; at > 0 && values[at - 1] > own; at--) values[at] = values[at - 1];
      values[at] = own;
    }
    const half = values.length >> 1;
    return values.length % 2 ? values[half] : (values[half - 1] + values[half]) / 2;
  };

  function mulberry32(seed) { // T. Ettinger, public domain, 2017
    let state = seed;
    return () => {
      state = (state + 0x6d2b79f5) | 0;
      let mixed = Math.imul(state ^ (state >>> 15), state | 1);
      mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
      return (mixed ^ (mixed >>> 14)) >>> 0;
    };
  }

  // Which of `most` rounds each draw consists of, as 32-bit numbers [draws, most].
  function drawnNumbers(most) {
    const next = mulberry32(ROUNDS_SEED);
    return Uint32Array.from({ length: DRAWS * most }, next);
  }

  // How often each example is in each draw, [kept, draws].
  function drawnExamples(kept) {
    const next = mulberry32(EXAMPLES_SEED), counts = new Uint16Array(kept * DRAWS);
    for (let draw = 0; draw < DRAWS; draw++) {
      for (let i = 0; i < kept; i++) counts[Math.floor((next() * kept) / 2 ** 32) * DRAWS + draw]++;
    }
    return counts;
  }

  const exampleCounts = new Map();

  function prepare(question) {
    const most = Math.max(0, ...question.blocks.map((block) => block.rounds));
    const shared = new Map(), logs = new Map(), values = new Map();
    const blockOf = (one) => question.blocks[question.block[one]];

    // One list of rounds per draw, turned into one number per draw.
    function resampled(rounds, reduce) {
      const n = rounds.length, numbers = once(shared, "numbers", () => drawnNumbers(most));
      const found = new Float64Array(DRAWS), own = new Float64Array(n);
      for (let draw = 0; draw < DRAWS; draw++) {
        for (let k = 0; k < n; k++) own[k] = rounds[Math.floor((numbers[draw * most + k] * n) / 2 ** 32)];
        found[draw] = reduce(own);
      }
      return found;
    }

    const logLatency = (one) => once(logs, one, () => {
      const block = blockOf(one), centre = question.log_latency[one];
      const found = resampled(question.rounds[one][0], (own) => centre + rounded(sum(own) / block.rounds));
      if (!question.paired[one]) return found;
      const clock = once(shared, block, () => resampled(block.clock, (own) => rounded(median(own))));
      return found.map((log, draw) => log + clock[draw]);
    });

    function value(one, name) {
      if (name !== "accuracy" && name !== "negative_flips") return question[name][one];
      const wrong = (name === "accuracy" ? question.wrong : question.flips)[one];
      if (wrong === null) return null;
      return (name === "accuracy" ? question.examples - wrong : wrong) / question.examples;
    }

    const bits = (place) => once(shared, place, () => {
      const bytes = atob(question.mistakes[place]);
      return Uint8Array.from({ length: question.kept }, (_, i) => (bytes.charCodeAt(i >> 3) >> (7 - (i & 7))) & 1);
    });

    // How much larger the fraction of wrong examples (or of negative flips) is in each draw.
    function moreWrong(one, onlyFlips) {
      const place = question.own_mistakes[one], base = blockOf(one).mistakes, found = new Float64Array(DRAWS);
      if (place === null || (onlyFlips && base === null)) return found;
      const kept = question.kept, own = bits(place), other = onlyFlips ? bits(base) : null;
      const counts = once(exampleCounts, kept, () => drawnExamples(kept));
      let wrong = 0;
      for (let i = 0; i < kept; i++) {
        if (!own[i] || (other && other[i])) continue;
        wrong++;
        for (let draw = 0, at = i * DRAWS; draw < DRAWS; draw++, at++) found[draw] += counts[at];
      }
      return found.map((drawn) => ((drawn - wrong) / kept) * Math.sqrt(kept / question.texts));
    }

    // A measure in each draw.
    const drawn = (one, name) => once(once(values, name, () => new Map()), one, () => {
      const own = value(one, name);
      if (name === "accuracy") return moreWrong(one, false).map((more) => own - more);
      if (name === "negative_flips") return moreWrong(one, true).map((more) => own + more);
      if (name === "disk_bytes") return new Float64Array(DRAWS).fill(own);
      const rounds = question.rounds[one][name === "p90_seconds" ? 1 : 2];
      return resampled(rounds, (steps) => own * (1 + median(steps) * STEP));
    });

    function excess(own, measure, limit) {
      const missed = (measure.at_least ? limit - own : own - limit) / Math.max(limit, measure.smallest);
      return missed > EPSILON ? missed : 0;
    }

    function probabilities(contenders, limited, limits) {
      if (contenders.some((one) => blockOf(one).rounds < 2)) return [{}, null];
      const best = new Int32Array(DRAWS).fill(-1), fastest = new Float64Array(DRAWS).fill(Infinity);
      contenders.forEach((one, place) => {
        const latencies = logLatency(one);
        const asked = limited.map((measure) => [drawn(one, measure.name), measure, limits[measure.name]]);
        for (let draw = 0; draw < DRAWS; draw++) {
          if (latencies[draw] >= fastest[draw]) continue;
          if (!asked.every(([own, measure, limit]) => excess(own[draw], measure, limit) <= 0)) continue;
          best[draw] = place;
          fastest[draw] = latencies[draw];
        }
      });
      const wins = contenders.map(() => 0);
      let none = 0;
      for (const place of best) place < 0 ? none++ : wins[place]++;
      return [Object.fromEntries(contenders.map((one, place) => [one, wins[place] / DRAWS])), none / DRAWS];
    }

    function toldApart(first, one) {
      const before = logLatency(first), after = logLatency(one), blocks = [blockOf(first), blockOf(one)];
      const difference = question.log_latency[one] - question.log_latency[first];
      let total = 0, squares = 0;
      for (let draw = 0; draw < DRAWS; draw++) {
        const moved = after[draw] - before[draw] - difference;
        total += moved;
        squares += moved * moved;
      }
      const error = Math.sqrt((squares - (total * total) / DRAWS) / DRAWS);
      const reach = Math.max(...blocks.map((block) => block.t)) * error;
      return difference > Math.max(reach, ...blocks.map((block) => block.floor ?? 0));
    }

    const order = question.label.map((_, one) => one);
    const byLatency = (a, b) => question.latency_seconds[a] - question.latency_seconds[b] || a - b;
    order.sort(byLatency);

    function choose(limits) {
      const limited = MEASURES.filter((measure) => measure.name in limits);
      const excesses = order.map(() => []), fails = order.map(() => []), worst = order.map(() => 0);
      for (const one of order) {
        for (const measure of limited) {
          const own = value(one, measure.name);
          const missed = own === null ? Infinity : excess(own, measure, limits[measure.name]);
          excesses[one].push(missed);
          worst[one] = Math.max(worst[one], missed);
          if (missed > 0) fails[one].push(measure.name);
        }
      }
      const fitting = order.filter((one) => !fails[one].length);
      const missing = order.filter((one) => fails[one].length && worst[one] < Infinity);
      missing.sort((a, b) => worst[a] - worst[b]); // stable: the faster of two comes first
      const nearest = missing.length && !fitting.length ? missing[0] : null;
      const close = missing.filter((one) => !fails[one].includes("disk_bytes")).slice(0, CONTENDERS);
      const contenders = [...fitting.slice(0, CONTENDERS), ...close].sort(byLatency);
      const [probability, none_fits] = probabilities(contenders, limited, limits);
      const rivals = fitting.slice(0, CONTENDERS + 1);
      const unsure = !rivals.length || rivals.some((one) => blockOf(one).t === null);
      return {
        order, fails, probability, none_fits, nearest,
        winner: fitting.length ? fitting[0] : null,
        excess: nearest === null ? null : worst[nearest],
        excess_measure: nearest === null ? null : limited[excesses[nearest].indexOf(worst[nearest])].name,
        ties: unsure ? [] : rivals.slice(1).filter((one) => !toldApart(rivals[0], one)),
      };
    }

    // Draws ahead, in small steps, what the next choice among the fastest may ask for.
    function* ahead() {
      for (const one of order.slice(0, CONTENDERS)) {
        if (blockOf(one).rounds < 2) continue;
        yield logLatency(one);
        for (const { name } of MEASURES) if (value(one, name) !== null) yield drawn(one, name);
      }
    }

    const cost = (one, coreHour) =>
      ((coreHour * question.threads[one] * (question.latency_seconds[one] / 3600)) / question.batch_size) * 1e6;

    return { question, choose, ahead, value, cost };
  }

  return data.questions.map(prepare);
};
