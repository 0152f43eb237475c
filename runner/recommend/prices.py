"""A file of prices: types of instances, with their cores, their memory and their price per hour."""

from __future__ import annotations

import datetime
import math
from pathlib import Path
from typing import Any

import msgspec
import yaml

from runner.errors import UserError


class Instance(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A type of instance. `memory_gib` is in GiB, and the price in the currency of the file."""

    name: str
    cores: int
    memory_gib: float
    price_per_hour: float

    @property
    def memory_bytes(self) -> float:
        """Return the memory in bytes."""
        return self.memory_gib * 2**30


class Prices(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The content of the file. `date` is the day on which the prices were valid."""

    date: datetime.date
    currency: str
    instances: list[Instance]


def read_prices(path: Path) -> Prices:
    """Return the content of a file of prices.

    Raises:
        UserError: if it cannot be read, or has a wrong content. The message names the file and the key.
    """
    try:
        prices = msgspec.convert(_plain(path), Prices)
    except OSError as error:
        raise UserError(f"{path} cannot be read: {error.strerror}.") from None
    except (yaml.YAMLError, UnicodeDecodeError, RecursionError) as error:
        raise UserError(f"{path} is not YAML: {' '.join(str(error).split())}.") from None
    except msgspec.ValidationError as error:
        raise UserError(f"{path}: {str(error).replace('`', '')}. conf/prices.yaml shows how to write it.") from None
    if not prices.instances:
        raise UserError(f"{path}: instances is empty. Name at least one type.")
    for number, instance in enumerate(prices.instances):
        for key in ("cores", "memory_gib", "price_per_hour"):
            value = getattr(instance, key)
            if not (math.isfinite(value) and value > 0):
                raise UserError(f"{path}: instances[{number}].{key} is {value:g}, but must be above 0.")
    return prices


def _plain(path: Path) -> Any:
    return yaml.safe_load(path.read_text(encoding="utf-8"))
