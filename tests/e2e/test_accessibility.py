"""axe finds nothing on any page, in either language."""

from __future__ import annotations

from pathlib import Path

import pytest
from tests.e2e.conftest import Centre, Show

AXE = Path(__file__).parents[2] / "web" / "node_modules" / "axe-core" / "axe.min.js"


@pytest.mark.skipif(not AXE.is_file(), reason="axe-core is not there: npm ci in web/")
@pytest.mark.parametrize("language", ["zh-CN", "en"])
@pytest.mark.parametrize("path", ["/", "/data", "/objects"])
def test_axe_finds_nothing(centre: Centre, show: Show, path: str, language: str):
    page = show(centre.address, f"{path}?lang={language}")
    if path == "/":
        page.locator("article.trend canvas").wait_for(timeout=20_000)
        page.get_by_role("button", name="图层" if language == "zh-CN" else "Layers").click()
        page.locator("article.list button").first.click()
        page.locator("article.card").wait_for()
    else:
        page.locator("table").first.wait_for()
    page.evaluate(AXE.read_text("utf-8"))
    found = page.evaluate("axe.run().then(({ violations }) => violations)")
    told = [(one["id"], one["help"], [node["html"] for node in one["nodes"]][:3]) for one in found]
    assert told == []
