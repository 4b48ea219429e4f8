"""What the browser tests look at, the server that shows it, and a visit that misses no error."""

from __future__ import annotations

import csv
import io
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import numpy as np
from command_line import clearance
from PIL import Image, ImageDraw, ImageOps
from scene_samples import SCENE

from pipeline.results.files import read_run
from pipeline.review.access.sessions import Access, Person, Role
from pipeline.review.app import create_app
from pipeline.review.reason_templates import ReasonTemplate
from pipeline.review.review_session import ReviewSession
from pipeline.review.serve import hosts_of, listening_socket

HOSTILE = '"><img src=x onerror=alert(1)>'
MIRRORED = "pictures/mirrored.png"
CROPPED = "pictures/cropped.jpg"
LIFTED = "scripts/lifted.txt"
STARS = "pictures/stars.png"
RECOLOURED = "pictures/recoloured.png"


@dataclass(frozen=True)
class Screened:
    """Where the index, the drop and the results are."""

    index: Path
    drop: Path
    out: Path


def make_screened(base: Path, photos: dict[str, Any]) -> Screened:
    """Pictures mirrored, cropped, recoloured and with a hostile name, and a scene lifted with words
    changed.
    """
    works, drop = base / "works", base / "drop"
    for folder in (works, drop / "pictures", drop / "scripts"):
        folder.mkdir(parents=True)
    rows = []
    for name in ("astronaut", "chelsea", "coffee", "rocket"):
        photos[name].save(works / f"{name}.png")
        rows.append((name, name.title(), "A Photographer", "protected", f"{name}.png"))
    (works / "lamp.fountain").write_text(f"Title: {HOSTILE}\n\n{SCENE}", encoding="utf-8")
    rows.append(("lamp", f"The Lamp Room {HOSTILE}", HOSTILE, "protected", "lamp.fountain"))
    with (works / "works.csv").open("w", newline="", encoding="utf-8") as file:
        csv.writer(file).writerows([("work_id", "title", "rightsholder", "rights", "path"), *rows])
    cat, coffee, rocket = photos["chelsea"], photos["coffee"], photos["rocket"]
    ImageOps.mirror(cat).save(drop / MIRRORED)
    wide, high = coffee.size
    coffee.crop((wide // 6, high // 8, wide, high)).save(drop / CROPPED, quality=85)
    rocket.save(drop / "pictures" / f"{HOSTILE}.png")
    photos["hubble_deep_field"].save(drop / STARS)
    recoloured(photos["astronaut"]).save(drop / RECOLOURED)
    Image.new("RGB", (200, 200), "white").save(drop / "pictures" / "blank.png")
    changed = SCENE.replace("MARTA", "IVY").replace("a boat", "a ship").replace("causeway", "pier")
    lifted = f"{HOSTILE}\n\nA quay in rain. Nobody waits here any more.\n\n{changed}\n{HOSTILE}\n"
    (drop / LIFTED).write_text(lifted, encoding="utf-8")
    (drop / "scripts" / "note.txt").write_text("call them", encoding="utf-8")
    index = base / "index"
    assert clearance("index", "create", index).status == 0
    assert clearance("index", "add", index, works / "works.csv").status == 0
    assert clearance("screen", drop, "--index", index, "--out", base / "out").status == 3
    return Screened(index, drop, base / "out")


def recoloured(work: Image.Image) -> Image.Image:
    """A work in shades of blue with a disc painted on it, set into a plain picture."""
    inside = ImageOps.colorize(work.convert("L"), black="navy", white="aqua")
    wide, high = inside.size
    pen = ImageDraw.Draw(inside)
    pen.ellipse((wide // 8, high // 8, wide // 3, high // 3), fill="yellow")
    whole = Image.new("RGB", (wide + 300, high + 100), "seagreen")
    whole.paste(inside, (220, 40))
    return whole


def password(name: str) -> str:
    """The password of somebody in the tests' file of people."""
    return f"the long password of {name}"


@dataclass(frozen=True)
class Serving:
    """A server that runs."""

    url: str
    review: ReviewSession
    access: Access

    def item(self, path: str, **query: str) -> str:
        """Where the page of a file is."""
        number = self.review.number_of(path)
        assert number is not None, path
        parameters = "&".join(f"{name}={value}" for name, value in query.items())
        return f"{self.url}/item/{number}" + (f"?{parameters}" if parameters else "")

    def state(self, path: str) -> str:
        """State of a row in the record."""
        number = self.review.number_of(path)
        assert number is not None, path
        return str(self.review.state(self.review.row(number)).state)


@contextmanager
def serving(out: Path, *, people: Path | None = None) -> Iterator[Serving]:
    """The review page of results, on a port of its own, with two reason templates."""
    import uvicorn

    listening = listening_socket("127.0.0.1", 0)
    port = int(listening.getsockname()[1])
    review = ReviewSession(read_run(out), out, starter="Dora Vance")
    access = Access(
        local=None if people is not None else Person("Dora Vance", Role.APPROVER),
        people=people,
        hosts=hosts_of("127.0.0.1", port, ()),
        cookie=f"clearance_review_{port}",
    )
    reasons = (
        ReasonTemplate(text="On file."),
        ReasonTemplate(text="Not this work.", decisions=("false_match",)),
    )
    app = create_app(review, access, reasons=reasons)
    config = uvicorn.Config(app, log_level="error", access_log=False)
    server = uvicorn.Server(config)
    thread = threading.Thread(target=server.run, kwargs={"sockets": [listening]}, daemon=True)
    thread.start()
    deadline = time.monotonic() + 30
    while not server.started and time.monotonic() < deadline:
        time.sleep(0.02)
    assert server.started
    try:
        yield Serving(f"http://127.0.0.1:{port}", review, access)
    finally:
        server.should_exit = True
        thread.join(timeout=30)
        listening.close()


def screenshot_of(visit: Visit, selector: str = "#view-asset") -> np.ndarray:
    """What an element looks like, (height, width, 3)."""
    png = visit.page.locator(selector).screenshot()
    with Image.open(io.BytesIO(png)) as image:
        return np.asarray(image.convert("RGB"), dtype=int)


class Visit:
    """One person's browser. At its end no script failed, nothing was alerted, nothing was blocked.

    Attributes:
        page: Playwright's page.
        server: what it visits.
        refused: statuses of 400 and above that a test expects.
    """

    def __init__(self, chromium: Any, server: Serving, **options: Any) -> None:
        self.server = server
        self.refused: set[int] = set()
        self.faults: list[str] = []
        self.asked: list[str] = []
        self._context = chromium.new_context(viewport={"width": 1440, "height": 900}, **options)
        self._context.set_default_timeout(20_000)
        self.page = self._context.new_page()
        self.page.on("pageerror", lambda error: self.faults.append(f"error: {error}"))
        self.page.on("dialog", self._dialog)
        self.page.on("console", self._console)
        self.page.on("request", lambda request: self.asked.append(request.url))

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._context.close()
        if kind is None:
            assert self.faults == []
            assert [url for url in self.asked if not url.startswith(self.server.url)] == []

    def _dialog(self, dialog: Any) -> None:
        self.faults.append(f"dialog: {dialog.message}")
        dialog.dismiss()

    def _console(self, message: Any) -> None:
        if message.type not in ("error", "warning"):
            return
        if any(f"status of {status} " in message.text for status in self.refused):
            return
        self.faults.append(f"console: {message.text}")

    def sign_in(self, name: str) -> None:
        """Signs in by the form."""
        self.page.goto(f"{self.server.url}/login")
        self.page.fill("#name", name)
        self.page.fill("#password", password(name))
        self.page.click("main button")
        self.page.wait_for_selector(".who")

    def item(self, path: str, **query: str) -> None:
        """Opens the page of a file, pictures and all."""
        self.page.goto(self.server.item(path, **query))
        self.page.wait_for_load_state("networkidle")

    def keys(self, *names: str) -> None:
        """Presses keys one after the other."""
        for name in names:
            self.page.keyboard.press(name)
