"""Place the names of points so that they do not cover each other."""

from __future__ import annotations

from collections.abc import Sequence

_LETTER, _LINE = 7.0, 15.0  # pixels
_FALLING = ("top right", "bottom left", "bottom right", "top left", "top center", "bottom center")
_RISING = ("bottom right", "top left", "top right", "bottom left", "top center", "bottom center")


def label_places(
    points: Sequence[tuple[float, float]], texts: Sequence[str], width: float, height: float, rising: bool = False
) -> list[str]:
    """Return Plotly's `textposition` for each text. Texts are placed in order; if all collide, the best one is taken.

    Args:
        points: x and y of each point, from 0 to 1 across the chart. y points upwards.
        texts: the name of each point. An empty text has no place.
        width: the width of the chart in pixels.
        height: the height of the chart in pixels.
        rising: whether a line through the points rises to the right. Names are placed beside the line, not on it.
    """
    order = _RISING if rising else _FALLING
    taken = [_box("middle center", x * width, y * height, 0.0) for x, y in points]
    places = []
    for (x, y), text in zip(points, texts, strict=True):
        if not text:
            places.append(order[0])
            continue
        boxes = {place: _box(place, x * width, y * height, _LETTER * len(text)) for place in order}
        place = min(boxes, key=lambda name: _cost(boxes[name], taken, width, height))
        taken.append(boxes[place])
        places.append(place)
    return places


_Box = tuple[float, float, float, float]


def _box(place: str, x: float, y: float, length: float) -> _Box:
    """Return the left, bottom, right and top of a text's box."""
    vertical, horizontal = place.split()
    left = {"right": x + 5, "left": x - 5 - length, "center": x - length / 2}[horizontal]
    bottom = {"top": y + 5, "bottom": y - 5 - _LINE, "middle": y - 5}[vertical]
    return left, bottom, left + max(length, 5), bottom + _LINE


def _cost(box: _Box, taken: Sequence[_Box], width: float, height: float) -> float:
    """Return the area that would be covered or cut off, in square pixels."""
    left, bottom, right, top = box
    covered = sum(_overlap(box, other) for other in taken)
    cut_off = max(0.0, -left) + max(0.0, right - width) + max(0.0, -bottom) + max(0.0, top - height)
    return covered + cut_off * _LINE


def _overlap(one: _Box, other: _Box) -> float:
    across = min(one[2], other[2]) - max(one[0], other[0])
    along = min(one[3], other[3]) - max(one[1], other[1])
    return max(0.0, across) * max(0.0, along)
