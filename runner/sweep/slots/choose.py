"""Choose the slots of a machine: one for each last-level cache with enough whole cores."""

from __future__ import annotations

from collections import Counter
from typing import Any

from runner.errors import UserError
from runner.machine.topology import CacheDomain, cache_domains
from runner.sweep.slots.slot import Slot

AUTO = "auto"


def choose_slots(count: Any, cores: int) -> tuple[list[Slot], str | None]:
    """Return the slots in which rounds are measured, and a line to print about them.

    The list is empty if one round is measured at a time. Two slots never share a cache. In a shared cache, the slowdown
    that a box causes depends on what each box computes, and the A/A test of identical code would not show it.

    Args:
        count: the value of the key slots: the number of slots, or auto for as many as the machine has.
        cores: the largest number of cores that a trial needs.

    Raises:
        UserError: if `count` is not valid, or if the machine has fewer slots.
    """
    if count == 1:
        return [], None
    if count != AUTO and (not isinstance(count, int) or count < 1):
        raise UserError(f"slots is {count!r}, but must be a whole number from 1 up, or {AUTO}.")
    domains = cache_domains()
    usable = _same_size([domain for domain in domains if len(domain.cores) >= cores])
    if isinstance(count, int) and count > len(usable):
        allowed = f"1 to {len(usable)}, or {AUTO}" if len(usable) > 1 else "1"
        raise UserError(
            f"slots is {count}, but each slot needs its own last-level cache: {_reason(domains, usable, cores)}. "
            f"Give {allowed}."
        )
    if len(usable) < 2:
        return [], f"slots={AUTO} means one round at a time here: {_reason(domains, usable, cores)}."
    chosen = usable[len(usable) - count :] if isinstance(count, int) else usable  # the last ones: see choose_cpus
    slots = [Slot(number, domain.cpus) for number, domain in enumerate(chosen)]
    where = "; ".join(f"slot {slot.number + 1}: CPUs {_ranges(slot.cpus)}" for slot in slots)
    return slots, f"{len(slots)} rounds are measured at once, each on its own last-level cache ({where})."


def _same_size(domains: list[CacheDomain]) -> list[CacheDomain]:
    """Return the domains whose cache has the most frequent size, because ratios can depend on the size."""
    sizes = Counter(domain.cache_size for domain in domains)
    most_frequent = next(iter(sizes.most_common(1)), ("", 0))[0]
    return [domain for domain in domains if domain.cache_size == most_frequent]


def _reason(domains: list[CacheDomain], usable: list[CacheDomain], cores: int) -> str:
    """Return the reason for the number of slots."""
    if len(domains) == 1:
        return "as far as the kernel shows, all CPUs that may be used share one cache"
    needed = "a core" if cores == 1 else f"the {cores} cores that a trial needs"
    return f"of {len(domains)} such caches, {len(usable)} of one size have {needed} that may be used"


def _ranges(cpus: list[int]) -> str:
    """Return CPUs as the kernel writes them, such as 0-3,8-11."""
    ranges: list[list[int]] = []
    for cpu in cpus:
        if ranges and ranges[-1][-1] == cpu - 1:
            ranges[-1] = [ranges[-1][0], cpu]
        else:
            ranges.append([cpu])
    return ",".join("-".join(map(str, ends)) for ends in ranges)
