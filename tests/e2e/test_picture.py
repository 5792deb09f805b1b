"""The screen's picture of one recorded frame, compared by pixels with the one people approved."""

from __future__ import annotations

import base64
from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Page
from tests.e2e.recorded import FRAME, replayed

APPROVED = FRAME.with_name("approved.png")
CHANNEL_DIFFERENCE = 40
PIXELS_APART = 0.005

COMPARE = """async ([one, other, least]) => {
    const pixels = async (encoded) => {
        const blob = await (await fetch(`data:image/png;base64,${encoded}`)).blob()
        const image = await createImageBitmap(blob)
        const context = new OffscreenCanvas(image.width, image.height).getContext('2d')
        context.drawImage(image, 0, 0)
        return context.getImageData(0, 0, image.width, image.height)
    }
    const [a, b] = [await pixels(one), await pixels(other)]
    if (a.width !== b.width || a.height !== b.height) return 1
    let apart = 0
    for (let i = 0; i < a.data.length; i += 4)
        apart += [0, 1, 2].some((c) => Math.abs(a.data[i + c] - b.data[i + c]) > least)
    return apart / (a.data.length / 4)
}"""


@pytest.fixture
def recording(tmp_path: Path) -> Iterator[str]:
    """Address of a server that shows the recorded frame."""
    with replayed(FRAME, tmp_path) as address:
        yield address


def test_the_recorded_frame_looks_as_approved(recording: str, page: Page, tmp_path: Path):
    page.emulate_media(reduced_motion="reduce")
    page.set_viewport_size({"width": 1920, "height": 1080})
    page.goto(recording)
    page.wait_for_selector("html[data-map=ready]", timeout=90_000)
    for chart in ("article.trend canvas", "article.hours canvas"):
        page.locator(chart).wait_for(timeout=30_000)
    page.wait_for_function("() => document.fonts.status === 'loaded'")
    shot = last = b""
    # The picture is taken when two in a row are alike: labels and slices of the font have then settled.
    for _ in range(10):
        page.wait_for_timeout(1_500)
        shot = page.screenshot(timeout=90_000)
        if shot == last:
            break
        last = shot
    if not APPROVED.is_file():
        APPROVED.write_bytes(shot)
        pytest.fail(f"{APPROVED} was not there and has been written: look at it, then commit it")
    seen = tmp_path / "seen.png"
    seen.write_bytes(shot)
    page.goto("about:blank")
    pictures = [base64.b64encode(picture).decode() for picture in (shot, APPROVED.read_bytes())]
    apart = page.evaluate(COMPARE, [*pictures, CHANNEL_DIFFERENCE])
    assert apart <= PIXELS_APART, f"{apart:.2%} of the pixels differ: compare {seen} with {APPROVED}"
