"""Lines become a web: cut where they cross, short pieces drawn together, stubs gone."""

import numpy as np
import pytest
import shapely
from hypothesis import given, settings
from hypothesis import strategies as st
from shapely.geometry import LineString

from cityops.twin.plan.blocks import Cutter
from cityops.twin.plan.draft import Draft, Street
from cityops.twin.plan.web import contract, prune, weave

CROSS = [LineString([(-100, 0), (100, 0)]), LineString([(0, -100), (0, 100)])]
RANKS = np.array([0, 1])


def test_lines_are_cut_where_they_cross() -> None:
    web = weave(CROSS, [0, 1], RANKS)
    assert len(web) == 4
    assert sorted(web.degree.tolist()) == [1, 1, 1, 1, 4]
    assert sorted(web.owner.tolist()) == [0, 0, 1, 1]


def test_stubs_are_pruned_and_what_is_fixed_stays() -> None:
    web = weave([*CROSS, LineString([(50, 0), (50, 4)])], [0, 1, 1], RANKS)
    assert len(web) == 6
    kept = prune(web, shapely.box(-101, -101, 101, 101).boundary.buffer(3), 20.0)
    assert shapely.length(kept.line).sum() == pytest.approx(400)
    assert len(prune(web, None)) == 0


def test_short_pieces_are_drawn_together_where_the_greater_street_runs() -> None:
    staggered = [LineString([(-100, 0), (100, 0)]), LineString([(0, 0), (0, 100)]), LineString([(8, 0), (8, -100)])]
    web = contract(weave(staggered, [0, 1, 1], RANKS), 20.0, RANKS)
    assert len(web) == 4
    assert web.degree.max() == 4
    crossing = web.xy[web.degree.argmax()]
    assert crossing[1] == pytest.approx(0)


def test_a_line_with_no_room_beside_another_is_not_laid() -> None:
    draft = Draft()
    owner = draft.street(Street("grid", "primary", 4))
    draft.put(LineString([(0, 0), (1000, 0)]), owner)
    draft.lay(LineString([(0, 50), (1000, 50)]), owner, gap=100)
    assert len(draft.lines) == 1


def test_a_line_that_crosses_another_is_laid_through() -> None:
    draft = Draft()
    owner = draft.street(Street("grid", "primary", 4))
    draft.put(LineString([(0, 0), (1000, 0)]), owner)
    draft.lay(LineString([(500, -600), (520, 600)]), owner, gap=100)
    assert draft.lines[1].crosses(draft.lines[0])
    assert draft.lines[1].length == pytest.approx(1200, rel=0.01)


def test_a_line_that_comes_too_near_ends_square_on_its_neighbour() -> None:
    draft = Draft()
    owner = draft.street(Street("grid", "primary", 4))
    draft.put(LineString([(0, 0), (2000, 0)]), owner)
    draft.lay(LineString([(0, 900), (1000, 60), (2000, 40)]), owner, gap=100)
    laid = draft.lines[1]
    last, end = np.asarray(laid.coords[-2]), np.asarray(laid.coords[-1])
    assert laid.crosses(draft.lines[0])
    assert abs(end[0] - last[0]) < 1


@settings(max_examples=25, deadline=None)
@given(
    st.floats(200, 700),
    st.floats(200, 700),
    st.floats(0, np.pi),
    st.sampled_from(["cbd", "old", "mixed", "residential", "industrial", "town"]),
    st.integers(0, 1000),
)
def test_blocks_fill_their_superblock(width: float, depth: float, turn: float, style: str, seed: int) -> None:
    face = shapely.affinity.rotate(shapely.box(0, 0, width, depth), turn, use_radians=True)
    cuts, blocks = Cutter(np.empty((0, 2)), np.random.default_rng(seed)).cut(face, style)
    assert sum(block.area for block in blocks) == pytest.approx(face.area, rel=1e-3)
    assert len(blocks) == len(cuts) + 1
    assert all(cut.line.within(face.buffer(1)) for cut in cuts)


def test_parks_are_left_whole() -> None:
    face = shapely.box(0, 0, 600, 600)
    assert Cutter(np.empty((0, 2)), np.random.default_rng(1)).cut(face, "park") == ([], [face])
