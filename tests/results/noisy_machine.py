"""A simulated machine that others share, and the calls that the measuring protocol would see on it.

Its speed flips between 1× and 1.8× as a Python kernel's did on a shared virtual machine: autocorrelation 0.8 at 10 ms,
0.4 at 100 ms, 0.12 at 1 s. It drifts over the sweep, single calls are delayed by bursts with a heavy tail, and each
fresh box is dealt a speed of its own, which stays with it.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from scipy.signal import lfilter
from scipy.special import ndtri

CALLS_PER_TURN, TURNS = 4, 12  # of 10 ms the slower side's: about a second for both sides
CALL_SECONDS = 0.01
SLICE_SECONDS = 0.004  # for which Linux lets a process of the same priority run
SPUN = 0.5  # by what fraction a call is slower while the other side's threads spin
SLOWDOWN = 1.8
FLICKER = {0.1: 0.60, 1.0: 0.32, 10.0: 0.08}  # time scale in seconds: its share of the variance


@dataclass(frozen=True)
class Machine:
    """How noisy it is; standard deviations are of log latency.

    Attributes:
        slow_share: of the time it runs at the lower speed.
        box: what a fresh box is dealt.
        drift: from the first to the last round.
        jitter: of a call.
        partner: by how much every partner is slower, for having been there longer.
        bursts: chance that a call meets a delay, of 0.2 calls and more (Pareto, exponent 1.5).
        neighbour: how often in the time of a call another process takes the core from it, for `SLICE_SECONDS` each.
        unsettled: the share of turns whose first call is slowed by threads of the other side that spin on.
    """

    slow_share: float = 0.3
    box: float = 0.01
    drift: float = 0.1
    jitter: float = 0.01
    partner: float = 0.006
    bursts: float = 0.02
    neighbour: float = 0.0
    unsettled: float = 0.0

    @property
    def waiting_fraction(self) -> float:
        """Return the share of the time for which the box is ready to run but has no core."""
        waited = self.neighbour * SLICE_SECONDS
        return waited / (CALL_SECONDS + waited)


@dataclass(frozen=True)
class Measured:
    """Log latencies of identical work: [sweep, round, trial, turn, call], of the trial's box and of its partner's."""

    own: Any
    partner: Any


def measure(
    chance: np.random.Generator, machine: Machine, sweeps: int, rounds: int, trials: int, quicker: int = 1
) -> Measured:
    """Simulate rounds as they are run: trial after trial, in each of which the box and its partner take turns.

    Args:
        quicker: how many times as fast as the partner's the box's calls are. They last less long, so they meet
            other noise; their latencies are given times this number, so that the truth is a ratio of 1.
    """
    step = CALL_SECONDS / quicker
    own_steps, partner_steps = CALLS_PER_TURN, CALLS_PER_TURN * quicker
    per_turn = own_steps + partner_steps
    shape = (sweeps, rounds, trials * TURNS * per_turn)
    slow = is_slow(chance, shape, machine.slow_share, step)
    slowdown = np.where(slow, np.float32(SLOWDOWN), np.float32(1)).reshape(sweeps, rounds, trials, TURNS, per_turn)
    own, partner = np.empty_like(slowdown[..., :own_steps]), np.empty_like(slowdown[..., :partner_steps])
    for first, turns in ((True, slice(0, None, 2)), (False, slice(1, None, 2))):  # AB BA AB …
        order = slowdown[..., turns, :] if first else slowdown[..., turns, ::-1]
        own[..., turns, :], partner[..., turns, :] = order[..., :own_steps], order[..., own_steps:]
    partner = partner.reshape(*partner.shape[:-1], CALLS_PER_TURN, quicker).mean(axis=-1)
    drift = (
        machine.drift * chance.standard_normal((sweeps, 1, 1, 1, 1)) * np.linspace(0, 1, rounds)[:, None, None, None]
    )
    box = machine.box * chance.standard_normal((sweeps, rounds, trials, 1, 1))
    partners_box = machine.partner + machine.box * chance.standard_normal((sweeps, rounds, 1, 1, 1))
    return Measured(
        np.log(own + _delays(chance, machine, own.shape, quicker)) + drift + box,
        np.log(partner + _delays(chance, machine, partner.shape, 1)) + drift + partners_box,
    )


def is_slow(chance: np.random.Generator, shape: tuple[int, ...], share: float, step_seconds: float) -> Any:
    """Draw whether the machine is slow, step by step along the last axis: a sum of AR(1) processes, cut in two."""
    level = sum(np.float32(np.sqrt(w)) * _wander(chance, shape, np.exp(-step_seconds / t)) for t, w in FLICKER.items())
    return level > -ndtri(share)


def _wander(chance: np.random.Generator, shape: tuple[int, ...], kept: float) -> Any:
    """Return a stationary AR(1) process of variance 1: kept · its last value + what is new."""
    new = chance.standard_normal(shape, dtype=np.float32)
    new[..., 1:] *= np.float32(np.sqrt(1 - kept**2))
    return lfilter(np.float32([1]), np.float32([1, -kept]), new, axis=-1)


def _delays(chance: np.random.Generator, machine: Machine, shape: tuple[int, ...], quicker: int) -> Any:
    """Return what single calls wait, in units of a call: jitter for each, and a burst for a few."""
    delays = np.float32(machine.jitter) * chance.standard_normal(shape, dtype=np.float32)
    hit = chance.random(shape, dtype=np.float32) < machine.bursts / quicker
    delays[hit] += 0.2 * quicker * (1 + chance.pareto(1.5, int(hit.sum()))).astype(np.float32)
    if machine.neighbour:
        taken = chance.poisson(machine.neighbour / quicker, shape)
        delays += (taken * quicker * SLICE_SECONDS / CALL_SECONDS).astype(np.float32)
    if machine.unsettled:
        delays[..., 0] += SPUN * (chance.random(shape[:-1]) < machine.unsettled)
    return delays
