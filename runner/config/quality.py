"""Define when the quality of a variant counts as equivalent to that of its baseline."""

from __future__ import annotations

from dataclasses import dataclass

from runner.errors import UserError


@dataclass
class QualityConfig:
    """When the quality of a variant counts as equivalent to its baseline's."""

    margin: float = 1.0  # a variant must be shown to lose less than this: points of accuracy or hundredths of a score

    def __post_init__(self) -> None:
        if isinstance(self.margin, int | float) and not 0 <= self.margin < 100:
            raise UserError(
                f"quality.margin is {self.margin:g}, but must be at least 0 and below 100. It is in points: accuracies "
                "of 81% and 80% are one point apart."
            )

    @property
    def fraction(self) -> float:
        """Return the margin as a fraction, as in the tables: 0.01 for one point."""
        return self.margin / 100
