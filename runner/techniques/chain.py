"""Build the chain of a model's and a technique's steps from YAML, and check that their formats fit together."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from itertools import pairwise
from typing import Any

from omegaconf import OmegaConf
from omegaconf.errors import ConfigKeyError, OmegaConfBaseException

from runner.errors import UserError, did_you_mean
from runner.techniques.shape import Shape, check_not_refused
from runner.techniques.step import Step, step_class


def make_step(entry: Any, where: str) -> Step:
    """Build a step from its YAML entry, `{step: name, key: value, …}`.

    Raises:
        UserError: for an unknown step, an unknown key, a wrong type or a value out of range.
    """
    if not isinstance(entry, Mapping) or "step" not in entry:
        raise UserError(f"{where} must be a mapping such as {{step: onnx-export}}, but is {entry!r}.")
    cls = step_class(str(entry["step"]), where)
    keys = {str(key): value for key, value in entry.items() if key != "step"}
    try:
        built = OmegaConf.to_object(OmegaConf.merge(OmegaConf.structured(cls), keys))
    except ConfigKeyError:
        allowed = [f.name for f in dataclasses.fields(cls)]
        unknown = next(key for key in keys if key not in allowed)
        raise UserError(
            f"{where}: step '{cls.name}' has no key '{unknown}'. {did_you_mean(unknown, allowed)}"
        ) from None
    except OmegaConfBaseException as error:
        raise UserError(f"{where}: step '{cls.name}': {str(error).splitlines()[0]}") from None
    assert isinstance(built, Step)
    return built


def make_chain(entries: list[Any], where: str) -> list[Step]:
    """Build the steps of a technique or a model in order; see `make_step`."""
    return [make_step(entry, f"{where}[{number}]") for number, entry in enumerate(entries)]


def check_chain(steps: list[Step], engine_format: str, where: str) -> None:
    """Check that every step takes the format that the step before it gives, and the engine the last step's format.

    Raises:
        UserError: if two formats do not match. The message names the first two steps that do not fit.
    """
    for before, after in pairwise(steps):
        if before.gives != after.takes:
            raise UserError(
                f"{where}: step '{after.name}' takes {after.takes or 'nothing'}, but the step before it, "
                f"'{before.name}', gives {before.gives}. Put a step between them that turns {before.gives} into "
                f"{after.takes}, or reorder them."
            )
        if before.allows_next is not None and after.name not in before.allows_next and not after.wraps:
            allowed = f"only {', '.join(before.allows_next)} can" if before.allows_next else "no step can"
            raise UserError(
                f"{where}: step '{after.name}' cannot come after '{before.name}': {allowed}. Put it before "
                f"'{before.name}', or leave '{before.name}' out."
            )
    if steps[-1].gives != engine_format:
        raise UserError(
            f"{where}: the engine takes {engine_format}, but the last step, '{steps[-1].name}', gives "
            f"{steps[-1].gives}. Choose another engine, or end with a step that gives {engine_format}."
        )


def follow_shape(steps: list[Step], shape: Shape, where: str) -> Shape:
    """Return the shape that a model has after these steps.

    Args:
        steps: the steps, in order.
        shape: the model's shape before them, as far as it is known.
        where: the names of the model and the technique, for errors.

    Raises:
        UserError: if a step cannot transform the shape that the steps before it leave. The message names the step.
    """
    for step in steps:
        try:
            check_not_refused(shape, step.name)
            shape = step.infer_shape(shape)
        except UserError as error:
            raise UserError(f"{where}: {error}") from None
    return shape
