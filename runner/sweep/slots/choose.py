"""Which slots a machine has: one for each last-level cache with enough whole cores."""

from __future__ import annotations

from collections import Counter
from typing import Any

from runner.errors import UserError
from runner.machine.topology import CacheDomain, cache_domains
from runner.sweep.slots.slot import Slot

AUTO = "auto"


def choose_slots(asked: Any, threads: int) -> tuple[list[Slot], str | None]:
    """Return the slots to measure in, none for one round at a time, and a line to print on that.

    Two slots never share a cache: what a box loses to a neighbour there depends on what each of them computes, and the
    A/A test of identical code would not show it.

    Args:
        asked: the value of the key slots: how many; or auto, for as many as there are.
        threads: the most that a job has; each needs a core of its own.

    Raises:
        UserError: if there are fewer, or that is no number.
    """
    if asked == 1:
        return [], None
    if asked != AUTO and (not isinstance(asked, int) or asked < 1):
        raise UserError(f"slots is {asked!r}, but must be a whole number from 1 up, or {AUTO}.")
    domains = cache_domains()
    fit = _alike([domain for domain in domains if len(domain.cores) >= threads])
    if isinstance(asked, int) and asked > len(fit):
        allowed = f"1 to {len(fit)}, or {AUTO}" if len(fit) > 1 else "1"
        raise UserError(
            f"slots is {asked}, but each needs a last-level cache of its own: {_why(domains, fit, threads)}. "
            f"Give {allowed}."
        )
    if len(fit) < 2:
        return [], f"slots={AUTO} is one round at a time here: {_why(domains, fit, threads)}."
    chosen = fit[len(fit) - asked :] if isinstance(asked, int) else fit  # the last: see choose_cpus
    slots = [Slot(number, domain.cpus) for number, domain in enumerate(chosen)]
    where = "; ".join(f"slot {slot.number + 1}: CPUs {_listed(slot.cpus)}" for slot in slots)
    return slots, f"{len(slots)} rounds are measured at once, each on a last-level cache of its own ({where})."


def _alike(domains: list[CacheDomain]) -> list[CacheDomain]:
    """Return those with a cache of the most frequent size: in a larger one the same ratio can be another."""
    sizes = Counter(domain.cache_size for domain in domains)
    usual = next(iter(sizes.most_common(1)), ("", 0))[0]
    return [domain for domain in domains if domain.cache_size == usual]


def _why(domains: list[CacheDomain], fit: list[CacheDomain], threads: int) -> str:
    """Say how many slots there can be, and why."""
    if len(domains) == 1:
        return "all CPUs that may be used share one, as far as this machine tells"
    cores = "a core" if threads == 1 else f"the {threads} cores that threads={threads} takes"
    return f"of {len(domains)} such caches, {len(fit)} of one size have {cores} that may be used"


def _listed(cpus: list[int]) -> str:
    """Return CPUs as the kernel writes them, such as 0-3,8-11."""
    ranges: list[list[int]] = []
    for cpu in cpus:
        if ranges and ranges[-1][-1] == cpu - 1:
            ranges[-1] = [ranges[-1][0], cpu]
        else:
            ranges.append([cpu])
    return ",".join("-".join(map(str, ends)) for ends in ranges)
