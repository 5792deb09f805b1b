"""The screen outlives its server: it says that the line is down, and comes back by itself."""

from __future__ import annotations

from playwright.sync_api import expect
from tests.e2e.conftest import Centre, Show
from tests.engines import until


def test_it_reconnects_after_the_server_was_killed(lively: Centre, show: Show):
    page = show(lively.address)
    line = page.locator(".status .line")
    lively.kill_ioc()
    expect(line).to_contain_text("连接中断", timeout=15_000)
    expect(page.locator(".panel.old").first).to_be_attached()
    expect(line).to_have_class("line live", timeout=60_000)
    before = page.locator("time.clock").inner_text()
    until(lambda: page.locator("time.clock").inner_text() != before)
    expect(page.locator(".panel.old")).to_have_count(0, timeout=20_000)
    expect(page.get_by_role("article", name="实时告警")).to_contain_text("化工园区储罐泄漏")
