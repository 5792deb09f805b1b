"""The big screen as a person meets it: it draws the city, keeps to itself, speaks two languages, obeys the keyboard."""

from __future__ import annotations

import re

from playwright.sync_api import Page, expect
from tests.e2e.conftest import Centre, Show, Watched

MAP_SHARE = 0.55
LEAST_TEXT_PX = 18


def test_it_shows_the_city_with_true_numbers_and_no_complaint(centre: Centre, show: Show, watched: Watched):
    page = show(centre.address)
    name = centre.city.basemap.city.name["zh"]
    expect(page.get_by_role("heading", level=1)).to_have_text(f"{name}城市运行指挥中心")
    expect(page.get_by_role("article", name="城市运行体征")).to_contain_text("交通运行指数")
    expect(page.get_by_role("article", name="实时告警")).to_contain_text("化工园区储罐泄漏")
    expect(page.get_by_role("article", name="拥堵路段").get_by_role("button").first).to_be_visible()
    expect(page.locator("div.status")).to_contain_text("数据时延")
    expect(page.locator("li[aria-current=true]")).to_have_text("实时")
    expect(page.locator(".weather")).to_contain_text("11 ℃ 东北风 3 级")
    assert watched.complaints == []


def test_the_map_is_the_hero(centre: Centre, show: Show):
    page = show(centre.address)
    free = page.locator(".over").bounding_box()
    assert free
    assert free["width"] / page.viewport_size["width"] >= MAP_SHARE


def test_every_word_can_be_read_from_afar(centre: Centre, page: Page, show: Show):
    page.set_viewport_size({"width": 1920, "height": 1080})
    show(centre.address)
    page.locator("article.panel dl, article.panel ol").first.wait_for()
    small = page.evaluate(
        """least => [...document.querySelectorAll('#app *')]
            .filter((one) => [...one.childNodes].some((node) => node.nodeType === 3 && node.data.trim()))
            .filter((one) => !one.closest('.unseen, svg') && parseFloat(getComputedStyle(one).fontSize) < least)
            .map((one) => one.outerHTML.slice(0, 120))""",
        LEAST_TEXT_PX,
    )
    assert small == []


def test_nothing_is_asked_of_another_origin(centre: Centre, show: Show, watched: Watched):
    page = show(centre.address)
    expect(page.locator("article.trend canvas")).to_be_visible(timeout=20_000)
    page.wait_for_load_state("load")
    asked = {request.url for request in watched.requests}
    assert asked
    assert [url for url in asked if not url.startswith((centre.address, "blob:", "data:"))] == []


def test_chinese_is_drawn_from_our_own_font(centre: Centre, show: Show):
    page = show(centre.address)
    # A box is drawn for every character that no font has: two such characters have one picture.
    same = page.evaluate(
        """async () => {
            await document.fonts.load('40px City', '城')
            const drawn = (text) => {
                const canvas = new OffscreenCanvas(60, 60), context = canvas.getContext('2d')
                context.font = '40px City, "City Rest"'
                context.fillText(text, 5, 45)
                return context.getImageData(0, 0, 60, 60).data.join()
            }
            return drawn('城') === drawn('市')
        }"""
    )
    assert same is False


def test_characters_beyond_the_first_fonts_come_in_slices(centre: Centre, show: Show, watched: Watched):
    page = show(centre.address)
    page.wait_for_function("() => document.head.innerHTML.includes('City Rest')", timeout=20_000)
    page.evaluate("document.fonts.load('40px \"City Rest\"', '龘')")
    page.wait_for_function(
        "() => [...document.fonts].some(f => f.family.includes('City Rest') && f.status === 'loaded')"
    )
    assert [request.url for request in watched.requests if re.search(r"noto-sans-sc-\d+-wght", request.url)]


def test_english_is_one_press_away_and_stays(centre: Centre, show: Show):
    page = show(centre.address)
    page.get_by_role("button", name="EN").click()
    name = centre.city.basemap.city.name["en"]
    expect(page.get_by_role("heading", level=1)).to_have_text(f"{name} City Operations Centre")
    expect(page.get_by_role("article", name="City vital signs")).to_be_visible()
    assert page.evaluate("document.documentElement.lang") == "en"
    page.reload()
    expect(page.get_by_role("heading", level=1)).to_have_text(f"{name} City Operations Centre")


def test_every_object_is_reached_by_keyboard_alone(centre: Centre, show: Show):
    page = show(centre.address)
    page.keyboard.press("Tab")
    expect(page.locator(":focus")).to_have_text("跳到主要内容")
    tab_to(page, "图上对象列表")
    page.keyboard.press("Enter")
    drawer = page.get_by_role("complementary", name="图上对象")
    expect(drawer.get_by_role("button", name="关闭")).to_be_focused()
    tab_to(page, "化工园区储罐泄漏")
    page.keyboard.press("Enter")
    card = page.get_by_role("article", name="化工园区储罐泄漏")
    expect(card).to_contain_text("未解除")
    expect(card).to_contain_text("来源")
    page.keyboard.press("Escape")
    expect(drawer).to_be_hidden()
    page.keyboard.press("Escape")
    expect(card).to_be_hidden()


def test_every_kind_of_object_has_its_rows(centre: Centre, show: Show):
    page = show(centre.address, "/objects")
    kinds = {"告警": 4, "道路": len(centre.city.basemap.links), "处置力量与车辆": 312, "公共设施": 100}
    for kind, least in kinds.items():
        page.get_by_role("button", name=kind, exact=True).click()
        found = page.get_by_text(re.compile(r"共 [\d,]+ 项"))
        expect(page.locator("tbody tr").first).to_be_visible()
        assert int(re.sub(r"\D", "", found.inner_text())) >= least
    page.get_by_role("button", name="道路", exact=True).click()
    page.locator("tbody button").first.click()
    page.wait_for_selector("html[data-map=ready]", timeout=60_000)
    expect(page.locator("article.card")).to_contain_text("运行状况")


def test_a_click_on_the_map_tells_what_is_there(centre: Centre, show: Show):
    page = show(centre.address)
    page.get_by_role("article", name="拥堵路段").get_by_role("button").first.click()
    card = page.locator("article.card")
    expect(card).to_contain_text("拥堵")
    expect(card).to_contain_text("来源:检测器与浮动车融合")


def test_layers_are_switched_and_remembered(centre: Centre, show: Show):
    page = show(centre.address)
    page.get_by_role("button", name="图层").click()
    box = page.get_by_role("checkbox", name="公共设施")
    expect(box).to_be_checked()
    box.uncheck()
    page.reload()
    page.get_by_role("button", name="图层").click()
    expect(page.get_by_role("checkbox", name="公共设施")).not_to_be_checked()


def test_the_data_platform_shows_contracts_and_their_rows(centre: Centre, show: Show):
    page = show(centre.address, "/data")
    page.get_by_role("button", name="TrafficFlowObserved").click()
    expect(page.get_by_role("columnheader", name=re.compile("average_vehicle_speed"))).to_be_visible()
    expect(page.locator("section.rows tbody tr")).not_to_have_count(0)


def test_a_machine_without_webgl_gets_a_map_too(centre: Centre, page: Page, watched: Watched):
    page.add_init_script(
        """const made = HTMLCanvasElement.prototype.getContext
        HTMLCanvasElement.prototype.getContext = function (kind, ...rest) {
            return kind === 'webgl2' ? null : made.call(this, kind, ...rest)
        }"""
    )
    page.goto(centre.address)
    page.wait_for_selector("html[data-map=ready]", timeout=60_000)
    inked = """() => {
        const canvas = document.querySelector('.field canvas')
        const { data } = canvas.getContext('2d').getImageData(0, 0, canvas.width, canvas.height)
        let roads = 0
        for (let i = 0; i < data.length; i += 4) roads += data[i] > 40 && data[i + 2] > 60
        return roads > 5000
    }"""
    page.wait_for_function(inked, timeout=20_000)
    assert watched.complaints == []


def tab_to(page: Page, name: str, most: int = 60) -> None:
    """Press Tab until what is focused is called `name`."""
    for _ in range(most):
        page.keyboard.press("Tab")
        said = page.evaluate("document.activeElement.innerText || document.activeElement.getAttribute('aria-label')")
        if said and said.strip() == name:
            return
    raise AssertionError(f"{name!r} is not reached by {most} presses of Tab")
