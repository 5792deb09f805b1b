"""Wind directions in words: the 16 points of the compass, English and Chinese, as degrees clockwise from north."""

from __future__ import annotations

POINTS = (
    ("N", "北"), ("NNE", "北东北"), ("NE", "东北"), ("ENE", "东东北"),
    ("E", "东"), ("ESE", "东东南"), ("SE", "东南"), ("SSE", "南东南"),
    ("S", "南"), ("SSW", "南西南"), ("SW", "西南"), ("WSW", "西西南"),
    ("W", "西"), ("WNW", "西西北"), ("NW", "西北"), ("NNW", "北西北"),
)  # fmt: skip
_OTHER_NAMES = {
    "北北东": "NNE", "东北东": "ENE", "东南东": "ESE", "南南东": "SSE", "南南西": "SSW", "西南西": "WSW",
    "西北西": "WNW", "北北西": "NNW", "偏北": "N", "偏东": "E", "偏南": "S", "偏西": "W",
}  # fmt: skip
NO_DIRECTION = ("CV", "C", "CALM", "VAR", "VRB", "静风", "静", "无持续风向")
"""Words that say there is no direction: they become null."""


def degrees() -> dict[str, float]:
    """Return every word (upper case; a Chinese one with and without 风) with its direction in degrees."""
    step = 360 / len(POINTS)
    named = {word: step * n for n, words in enumerate(POINTS) for word in words}
    named |= {word: named[point] for word, point in _OTHER_NAMES.items()}
    return named | {f"{word}风": angle for word, angle in named.items() if not word.isascii()}
