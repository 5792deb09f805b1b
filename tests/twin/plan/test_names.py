"""Names are spelt as a Chinese city spells them."""

import numpy as np
import pytest

from cityops.twin.plan.model import Name
from cityops.twin.plan.names import GREAT, HILLS, LAKES, PARKS, NamePool, numbered, romanised, street
from cityops.twin.plan.naming import stem_of


@pytest.mark.parametrize(
    ("zh", "en"), [("西安", "Xi'an"), ("解放", "Jiefang"), ("永安", "Yong'an"), ("长春", "Changchun")]
)
def test_pinyin_runs_together_with_apostrophes(zh: str, en: str) -> None:
    assert romanised(zh) == en


def test_streets_are_told_apart_by_side() -> None:
    assert street("解放", "", "大道") == Name("解放大道", "Jiefang Avenue")
    assert street("建设", "东", "路") == Name("建设东路", "Jianshe East Road")


@pytest.mark.parametrize(("number", "zh"), [(1, "一"), (10, "十"), (12, "十二"), (20, "二十"), (21, "二十一")])
def test_numbers_are_written_out(number: int, zh: str) -> None:
    assert numbered(number) == zh


def test_every_stem_can_be_romanised() -> None:
    for stem in (*GREAT, *LAKES, *HILLS, *PARKS):
        assert romanised(stem)


def test_a_pool_never_gives_a_stem_twice() -> None:
    pool = NamePool(np.random.default_rng(1))
    stems = [pool.small() for _ in range(12_000)]
    assert len(set(stems)) == len(stems)
    assert all(romanised(stem) for stem in stems)


def test_a_stem_loses_side_and_kind() -> None:
    assert stem_of(street("建设", "东", "路")) == Name("建设", "Jianshe")
    assert stem_of(street("二环", "北", "路")).zh == "二环"
    assert stem_of(Name("Mannerheimintie", "Mannerheimintie")).zh == "Mannerheimintie"
