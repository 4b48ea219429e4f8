"""Each view, light and dark: axe finds no serious fault, and a picture of it is kept."""

from __future__ import annotations

import importlib.util
from pathlib import Path

import pytest
from browser_samples import CROPPED, LIFTED, MIRRORED, STARS, Visit, serving

pytestmark = pytest.mark.slow

SERIOUS = ("serious", "critical")


@pytest.fixture(scope="module")
def axe() -> str:
    """axe-core's source, from a package that carries it."""
    spec = importlib.util.find_spec("axe_playwright_python")
    if spec is None or spec.origin is None:
        pytest.skip("no axe-core (pip install axe-playwright-python)")
    return (Path(spec.origin).parent / "axe.min.js").read_text(encoding="utf-8")


def faults(visit: Visit, axe: str) -> list[str]:
    visit.page.evaluate(axe)
    report = visit.page.evaluate(
        """() => axe.run(document, {runOnly: ['wcag2a', 'wcag2aa', 'wcag21a', 'wcag21aa',
             'wcag22aa', 'best-practice']})"""
    )
    return [
        f"{one['impact']} {one['id']}: {node['html'][:160]} {node['failureSummary']}"
        for one in report["violations"]
        if one["impact"] in SERIOUS
        for node in one["nodes"][:5]
    ]


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_views(chromium, out, shots, axe, scheme):
    with (
        serving(out) as server,
        # axe is no script of the page's own, which the policy would refuse.
        Visit(chromium, server, color_scheme=scheme, bypass_csp=True) as visit,
    ):
        visit.refused = {404}
        page = visit.page
        violations: dict[str, list[str]] = {}

        def view(name: str, *, whole: bool = True, checked: bool = True) -> None:
            page.wait_for_load_state("networkidle")
            page.wait_for_timeout(200)
            page.screenshot(path=shots / f"{name}-{scheme}.png", full_page=whole)
            if checked:
                violations[name] = faults(visit, axe)

        page.goto(f"{server.url}/login")
        view("login")
        page.goto(f"{server.url}/enter?token={server.access.token}")
        view("queue")
        page.goto(f"{server.url}/?view=cards")
        view("queue-cards")
        page.goto(f"{server.url}/?view=table&band=escallate&q=png")
        view("queue-unknown-filter")
        page.goto(f"{server.url}/progress")
        view("progress")
        page.goto(f"{server.url}/?band=escalate&q=png")
        view("queue-filtered")
        visit.keys("?")
        view("keys", whole=False)
        for key, mode in enumerate(("beside", "blink", "slider", "difference", "overlay"), 1):
            visit.item(CROPPED)
            visit.keys(str(key))
            if mode == "blink":
                visit.keys("b")
            # The three that follow differ from these in pixels only.
            view(f"item-{mode}", whole=key == 1, checked=mode in ("beside", "blink"))
        visit.item(MIRRORED)
        visit.keys("1", "+", "+", "+")
        view("item-enlarged", whole=False)
        visit.item(STARS)
        view("item-no-match")
        visit.item("pictures/blank.png")
        view("item-not-screened")
        visit.item(LIFTED)
        view("item-script")
        page.goto(f"{server.item(LIFTED)}/script?side=asset&at=62")
        view("whole-script")
        visit.item(MIRRORED)
        visit.keys("Shift+Digit2")
        page.keyboard.type("Ask the photographer")
        view("item-deciding", whole=False)
        visit.keys("Control+Enter")
        page.wait_for_selector(".done")
        view("item-next-after-deciding", whole=False)
        visit.item(MIRRORED)
        view("item-decided")
        page.goto(f"{server.url}/bulk?band=no_match")
        view("bulk")
        page.check("input[value=no_issue]")
        page.click("text=Show what would be written")
        view("bulk-preview")
        visit.item(MIRRORED)
        page.click("text=Suppress by a rule")
        page.fill("#reason", "Our own photographs")
        page.click("text=Show what it would cover")
        view("rule-preview")
        page.click("#rule-add")
        view("rules")
        page.goto(f"{server.url}/item/999999")
        view("error")
        page.set_viewport_size({"width": 420, "height": 900})
        visit.item(CROPPED)
        view("item-narrow")
        messages = [f"{name}: {one}" for name, all_of in violations.items() for one in all_of]
        assert messages == [], "\n".join(messages)
