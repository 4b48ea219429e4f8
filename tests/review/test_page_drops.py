"""Every page of a run over one drop, and of a nightly scan over several."""

from __future__ import annotations

import csv
import html
import io
import json
from dataclasses import dataclass
from pathlib import Path

import pytest
from command_line import clearance
from page_samples import DORA, HOST, HOSTILE, Browser, signed_in
from PIL import Image
from scene_samples import SCENE

from pipeline.results import read_run
from pipeline.results.inputs import drop_of
from pipeline.review.access.sessions import Access
from pipeline.review.app import create_app
from pipeline.review.opening import results_of
from pipeline.review.pages import DROPS, PLACES, run_header
from pipeline.review.review_session import ReviewSession
from training.synthetic import picture

STILLS, PAGES = "stills", "pages-of-text"
DROP_OF = {"copy.jpg": STILLS, "alone.png": STILLS, "other.jpg": PAGES, "lifted.txt": PAGES}


@dataclass
class Reviewed:
    """A page, the results that it shows, and what its head says of the drops."""

    review: ReviewSession
    browser: Browser
    head: tuple[str, ...]
    prefixes: dict[str, str]

    def item(self, file: str) -> str:
        number = self.review.number_of(self.prefixes[file] + file)
        assert number is not None
        return f"/item/{number}"

    def page(self, place: str, status: int = 200) -> str:
        """A page with the head that it must have."""
        answer = self.browser.get(place)
        assert answer.status_code == status, answer.text
        head = html.unescape(answer.text.partition("</header>")[0])
        for words in (*self.head, str(self.review.stored.run["run_id"])):
            assert words in head
        return answer.text

    def picture(self, place: str) -> Image.Image:
        answer = self.browser.get(place)
        assert answer.status_code == 200, answer.text
        return Image.open(io.BytesIO(answer.content))


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An index, two drops, results of a run over the folder of both, and a scan directory."""
    base = tmp_path_factory.mktemp("drops")
    works, drops = base / "works", base / "drops"
    for one in (works, drops / STILLS, drops / PAGES):
        one.mkdir(parents=True)
    drawn = [Image.fromarray(picture(seed, 128)) for seed in (1, 2, 50)]
    with (works / "works.csv").open("w", newline="", encoding="utf-8") as file:
        lines = [("work_id", "title", "rightsholder", "rights", "path")]
        for name in ("one.png", "two.png", "lamp.txt"):
            lines.append((name[:-4], name[:-4].title(), "An Owner", "protected", name))
        csv.writer(file).writerows(lines)
    drawn[0].save(works / "one.png")
    drawn[1].save(works / "two.png")
    (works / "lamp.txt").write_text(SCENE, encoding="utf-8")
    drawn[0].save(drops / STILLS / "copy.jpg", quality=80)
    drawn[2].save(drops / STILLS / "alone.png")
    drawn[1].save(drops / PAGES / "other.jpg", quality=80)
    (drops / PAGES / "lifted.txt").write_text(f"A quay in rain.\n\n{SCENE}", encoding="utf-8")
    index = base / "index"
    assert clearance("index", "create", index).status == 0
    assert clearance("index", "add", index, works / "works.csv").status == 0
    assert clearance("screen", drops, "--index", index, "--out", base / "run").status == 0
    places = {
        name: {"path": str(drops / name), "settle": {"seconds": 0}} for name in (STILLS, PAGES)
    }
    settings = {"index": str(index), "out": str(base / "scan"), "drops": places}
    (base / "nightly.yaml").write_text(json.dumps(settings), encoding="utf-8")
    assert clearance("scan", "--config", base / "nightly.yaml").status == 0
    return base


@pytest.fixture(params=["run", "scan"])
def reviewed(folder: Path, request: pytest.FixtureRequest) -> Reviewed:
    results = results_of(str(folder / request.param))
    assert isinstance(results, Path)
    review = ReviewSession(read_run(results), results)
    access = Access(local=DORA, hosts=frozenset({HOST}))
    head = (str(folder / "drops"),) if request.param == "run" else (STILLS, PAGES)
    prefixes = {file: f"{drop}/" for file, drop in DROP_OF.items()}
    browser = signed_in(create_app(review, access), access, DORA)
    return Reviewed(review, browser, head, prefixes)


def test_every_address_that_can_be_asked_for_answers(reviewed, folder):
    copy, lifted = reviewed.item("copy.jpg"), reviewed.item("lifted.txt")
    words_on_page = {
        "/": ["copy.jpg", "lifted.txt"],
        "/bulk": ["Decide on"],
        "/progress": ["By band", "By person", "By strongest work"],
        "/rules": ["There are no rules yet"],
        "/rules/new": ["Show what it would cover"],
        "/login": ["Sign in"],
        "/item/{number}": ["copy.jpg", "Side by side", str(folder / "drops")],
        "/item/{number}/script": ["A quay in rain", "wet to the knees"],
    }
    places = {
        "/item/{number}": copy,
        "/item/{number}/script": f"{lifted}/script",
    }
    for route, words in words_on_page.items():
        text = reviewed.page(places.get(route, route))
        assert [one for one in words if one not in html.unescape(text)] == [], route
    pictures = {f"/item/{{number}}/{name}.webp" for name in ("asset", "work", "laid")}
    for route in pictures:
        assert reviewed.picture(route.replace("/item/{number}", copy)).size == (128, 128)
    small = "/item/{number}/thumbnail.webp"
    for side in ("asset", "work"):
        assert reviewed.picture(f"{copy}/thumbnail.webp?side={side}").size == (128, 128)
    assert reviewed.browser.get("/static/page.css").status_code == 200
    assert "/bulk" in reviewed.browser.get("/openapi.json").json()["paths"]
    token = reviewed.browser.client.app.state.access.token
    assert reviewed.browser.get(f"/enter?token={token}").status_code == 303
    others = {"/static/{name}", "/openapi.json", "/enter", small}
    routes = reviewed.browser.client.app.routes
    there = {one.path for one in routes if "GET" in one.methods}
    assert there == {*words_on_page, *pictures, *others}, "a new address is asked for here, too"


def test_the_queue_and_every_row_of_every_drop_open(reviewed):
    queue = reviewed.browser.get("/", headers={"accept": "application/json"}).json()
    assert queue["total"] == len(DROP_OF)
    assert "copy.jpg" not in reviewed.page(f"/?folder={PAGES}").partition("<tbody>")[2]
    for file in DROP_OF:
        text = reviewed.page(reviewed.item(file))
        assert "can't be" not in html.unescape(text)
    for file in ("copy.jpg", "other.jpg", "alone.png"):
        assert reviewed.picture(f"{reviewed.item(file)}/asset.webp").size == (128, 128)
    assert "causeway" in reviewed.page(f"{reviewed.item('lifted.txt')}/script?side=work")


def test_an_error_and_a_preview_have_the_same_head(reviewed):
    reviewed.page("/item/999", status=404)
    payload = {"choice": "no_issue", "reason": "all of it", "query": f"folder={STILLS}"}
    answer = reviewed.browser.post("/bulk/preview", payload, as_json=False)
    assert answer.status_code == 200
    assert all(words in html.unescape(answer.text) for words in (*reviewed.head, "alone.png"))


def test_of_many_drops_some_are_named_and_the_others_counted():
    names = [f"drop {number}" for number in range(PLACES + 2)]
    header = run_header({"run_id": "r", "drops": {name: f"/in/{name}" for name in names}})
    assert header.drops == tuple(names[:DROPS])
    assert header.more_drops == PLACES + 2 - DROPS
    lines = header.places.splitlines()
    assert len(lines) == PLACES + 1
    assert lines[0] == "drop 0: /in/drop 0"
    assert lines[-1] == "and 2 more"
    assert run_header({"drops": dict.fromkeys(names[:DROPS], "/in")}).more_drops == 0


@pytest.mark.parametrize("run", [{}, {"drop": None}, {"drops": {}}, {"drops": None}])
def test_a_run_that_does_not_say_what_it_screened_has_pages(site, run):
    del site.stored.run["drop"], site.stored.run["run_id"]
    site.stored.run.update(run)
    for place in ("/", f"/item/{site.number('b/cat.png')}"):
        assert site.browser(DORA).get(place).status_code == 200
    assert run_header(site.stored.run).run_id == "?"
    assert drop_of(site.stored.run, "b/cat.png") is None


def test_a_hostile_place_is_text(site):
    del site.stored.run["drop"]
    many = {f"{HOSTILE}{number}": f"/in/{HOSTILE}" for number in range(DROPS + 1)}
    site.stored.run["drops"] = many
    text = site.browser(DORA).get("/").text
    assert "1 more drop" in text
    assert HOSTILE not in text
    assert "&lt;img src=x" in text
