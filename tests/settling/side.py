"""The process whose calls tests/settling compares: undisturbed, and in turns with a partner."""

from __future__ import annotations

import json

from runner.results.statistics import paired_log_ratio
from runner.trial.memory import MemoryWatch
from runner.trial.phases import start
from runner.trial.request import atomic_write, read_request, run
from runner.trial.timing import no_garbage_collection
from runner.trial.turns import Partner

_TURN_SECONDS = 0.04


def main() -> None:
    """Make the same calls in pairs of turns: one after the partner's turn, and one after an own turn."""
    request, paths = read_request()
    side = start(request, paths, MemoryWatch()).side
    partner = Partner(paths["partner"], session=1)
    slower = max(side.call_seconds, partner.begin(0))
    count, turns = max(1, round(_TURN_SECONDS / slower)), request["turns"]
    side.expect(count * turns)
    partner.begin(count * turns)
    in_turns: dict[int, list[float]] = {}
    undisturbed: dict[int, list[float]] = {}
    unsettled = 0
    with no_garbage_collection():
        for turn in range(turns):
            first = turn * count
            for after_partner in (turn % 2 == 0, turn % 2 == 1):
                if after_partner:
                    unsettled += not side.settle()
                    partner.take_turn(first, count, lead_in=True, hand_over=True)
                    side.take_turn(first, count, lead_in=True)
                else:
                    side.take_turn(first, count, lead_in=True)
                    side.take_turn(first, count, lead_in=False)
                kind = in_turns if after_partner else undisturbed
                kind[turn] = list(side.seconds.latency[first : first + count])
    partner.end()
    result = {
        "log_ratio": paired_log_ratio(in_turns, undisturbed),
        "settling_seconds": side.settling_seconds / turns,
        "unsettled_turns": unsettled + partner.unsettled_turns,
    }
    atomic_write(paths["output"] / "settling.json", json.dumps(result))


if __name__ == "__main__":
    run(main)
