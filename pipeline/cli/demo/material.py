"""The demo's material: a manifest of works, and a drop with its ground truth.

The photographs in `photographs/` are those of scikit-image 0.26, byte for byte; nothing is
downloaded. The screenplays were written for this demo. The same version of Pillow gives the same
bytes each time.
"""

from __future__ import annotations

import csv
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from enum import StrEnum
from importlib import resources
from importlib.resources.abc import Traversable
from pathlib import Path

from PIL import Image

from pipeline.cli.demo import edits


@dataclass(frozen=True, slots=True)
class Photograph:
    """A photograph of the demo, taken from scikit-image's sample data.

    Attributes:
        file: its name in `photographs/`, as in scikit-image.
        shows: its subject.
        credit: photographer and source, as scikit-image's documentation gives them.
        terms: on which it may be used, from the same documentation.
    """

    file: str
    shows: str
    credit: str
    terms: str


PHOTOGRAPHS = {
    photo.file.partition(".")[0]: photo
    for photo in (
        Photograph(
            "astronaut.png",
            "Portrait of the astronaut Eileen Collins",
            "NASA Great Images database",
            "public domain, no known copyright restrictions",
        ),
        Photograph("chelsea.png", "Chelsea the cat", "Stefan van der Walt", "CC0"),
        Photograph(
            "coffee.png",
            "A cup of coffee",
            "Rachel Michetti, courtesy of Pikolo Espresso Bar",
            "CC0",
        ),
        Photograph(
            "rocket.jpg", "Launch of DSCOVR on a Falcon 9", "SpaceX", "released into public domain"
        ),
        Photograph(
            "hubble_deep_field.jpg",
            "Hubble eXtreme Deep Field",
            "NASA, HubbleSite",
            "public domain",
        ),
        Photograph("camera.png", "A man with a camera", "Lav Varshney", "CC0"),
        Photograph(
            "coins.png",
            "Coins from Pompeii",
            "Brooklyn Museum Collection",
            "no known copyright restrictions",
        ),
        Photograph("brick.png", "A brick wall", "CC0Textures, Bricks25", "CC0"),
        Photograph("grass.png", "Grass", "linolafett, DeviantArt", "CC0"),
        Photograph("gravel.png", "Gravel", "CC0Textures, Gravel04", "CC0"),
        Photograph(
            "ihc.png",
            "Stained tissue under a microscope",
            "Center for Microscopy And Molecular Imaging",
            "no known copyright restrictions",
        ),
        Photograph("retina.jpg", "A human retina", "Mikael Häggström", "CC0"),
    )
}
"""The photographs that the demo uses, by name. Those of scikit-image whose terms its
documentation does not state (the motorcycle and the moon among them) are left out.
docs/third-party.md has the source, licence and SHA-256 of each."""

PHOTOGRAPHS_FOLDER = Path(__file__).with_name("photographs")


@dataclass(frozen=True, slots=True)
class DemoWork:
    """One work of the demo's index; `sources` are photographs by name, or screenplays by file."""

    work_id: str
    title: str
    rightsholder: str
    rights: str
    sources: tuple[str, ...]


OURS = "Clearance contributors"

WORKS = (
    DemoWork("PIC-001", "Portrait of Eileen Collins", "NASA", "public_domain", ("astronaut",)),
    DemoWork("PIC-002", "Chelsea the cat", "Stefan van der Walt", "public_domain", ("chelsea",)),
    DemoWork("PIC-003", "A cup of coffee", "Rachel Michetti", "public_domain", ("coffee",)),
    DemoWork("PIC-004", "Launch of DSCOVR", "SpaceX", "public_domain", ("rocket",)),
    DemoWork(
        "PIC-005",
        "Two plates: deep field and retina",
        "NASA; Mikael Häggström",
        "public_domain",
        ("hubble_deep_field", "retina"),
    ),
    DemoWork("SCR-001", "The Tide Clerk", OURS, "protected", ("tide_clerk.fountain",)),
    DemoWork("SCR-002", "Lot Forty-One", OURS, "protected", ("lot_forty_one.fountain",)),
    DemoWork("SCR-003", "The Number Nine", OURS, "protected", ("the_number_nine.fountain",)),
    DemoWork("SCR-004", "Small Repairs", OURS, "protected", ("small_repairs.fountain",)),
)


class Truth(StrEnum):
    """The ground truth of a file of the drop."""

    COPY = "copy"
    UNRELATED = "unrelated"
    UNJUDGEABLE = "unjudgeable"


@dataclass(frozen=True, slots=True)
class Planted:
    """One file of the drop: its path there, what it is, and which work it copies, if any."""

    asset_path: str
    what: str
    truth: Truth
    work_id: str | None
    content: Callable[[], bytes]


def photograph_file(name: str) -> Path:
    """The file of the photograph `name`."""
    return PHOTOGRAPHS_FOLDER / PHOTOGRAPHS[name].file


def photograph(name: str) -> Image.Image:
    """The photograph `name`, decoded, as RGB."""
    with Image.open(photograph_file(name)) as image:
        return image.convert("RGB")


def script_file(folder: str, name: str) -> Traversable:
    """A screenplay of the demo: `folder` is `works` or `drop`."""
    return resources.files("pipeline.cli.demo").joinpath("scripts", folder, name)


def planted() -> tuple[Planted, ...]:
    """Every file of the drop, sorted by its path."""
    everything = [*_copied_pictures(), *_other_pictures(), *_scripts(), *_unjudgeable()]
    return tuple(sorted(everything, key=lambda file: file.asset_path))


def _copied_pictures() -> Iterator[Planted]:
    def copy(path: str, what: str, work_id: str, content: Callable[[], bytes]) -> Planted:
        return Planted(f"pictures/{path}", what, Truth.COPY, work_id, content)

    yield copy(
        "as_received.png",
        "the identical file of the coffee cup",
        "PIC-003",
        lambda: photograph_file("coffee").read_bytes(),
    )
    yield copy(
        "portrait_cropped.jpg",
        "the portrait, cropped to 70 % of each side",
        "PIC-001",
        lambda: edits.jpeg(edits.crop(photograph("astronaut"), 0.7), 90),
    )
    yield copy(
        "portrait_combined.jpg",
        "the portrait cropped, mirrored, recoloured and compressed",
        "PIC-001",
        lambda: edits.jpeg(
            edits.recolour(edits.mirror(edits.crop(photograph("astronaut"), 0.8))), 60
        ),
    )
    yield copy(
        "cat_mirrored.png",
        "the cat, mirrored",
        "PIC-002",
        lambda: edits.png(edits.mirror(photograph("chelsea"))),
    )
    yield copy(
        "cat_rotated.jpg",
        "the cat, turned by 90 degrees",
        "PIC-002",
        lambda: edits.jpeg(edits.rotate(photograph("chelsea")), 90),
    )
    yield copy(
        "coffee_banner.jpg",
        "the coffee cup under a banner with text",
        "PIC-003",
        lambda: edits.jpeg(edits.add_banner(photograph("coffee"), "OPENING SOON"), 85),
    )
    yield copy(
        "wall_with_poster.png",
        "the launch as a poster on a brick wall",
        "PIC-004",
        lambda: edits.png(edits.inset(photograph("rocket"), photograph("brick"), 0.55)),
    )
    yield copy(
        "launch_recoloured.jpg",
        "the launch in other colours",
        "PIC-004",
        lambda: edits.jpeg(edits.recolour(photograph("rocket")), 85),
    )
    yield copy(
        "stars_small.jpg",
        "the deep field at half size, JPEG quality 30",
        "PIC-005",
        lambda: edits.jpeg(edits.scale(photograph("hubble_deep_field"), 0.5), 30),
    )
    yield copy(
        "slides.webp",
        "an animation of three pictures, the cat second",
        "PIC-002",
        lambda: edits.animation(
            [photograph(name) for name in ("coins", "chelsea", "camera")], (360, 240)
        ),
    )


def _other_pictures() -> Iterator[Planted]:
    for name, path in (
        ("camera", "cameraman.png"),
        ("coins", "coins.png"),
        ("grass", "field.png"),
        ("gravel", "ground.png"),
        ("ihc", "tissue.png"),
    ):
        yield Planted(
            f"pictures/{path}",
            f"{PHOTOGRAPHS[name].shows[0].lower()}{PHOTOGRAPHS[name].shows[1:]}: not in the index",
            Truth.UNRELATED,
            None,
            photograph_file(name).read_bytes,
        )


def _scripts() -> Iterator[Planted]:
    for name, what, work_id in (
        ("ashgrove_draft.fountain", "a new script with one scene lifted, names changed", "SCR-002"),
        ("last_tram.fdx", "a scene re-typed for Final Draft in a new setting", "SCR-003"),
        ("second_hearing.srt", "the dialogue of a scene re-typed as subtitles", "SCR-004"),
        ("the_rain_book.fountain", "an original script on a theme like SCR-001's", None),
    ):
        yield Planted(
            f"scripts/{name}",
            what,
            Truth.COPY if work_id else Truth.UNRELATED,
            work_id,
            script_file("drop", name).read_bytes,
        )


def _unjudgeable() -> Iterator[Planted]:
    def hard(path: str, what: str, content: Callable[[], bytes]) -> Planted:
        return Planted(path, what, Truth.UNJUDGEABLE, None, content)

    yield hard(
        "pictures/transfer_cut_off.jpg",
        "a JPEG of which the second half is missing",
        lambda: edits.truncate(edits.jpeg(photograph("retina"), 85)),
    )
    yield hard("pictures/blank.png", "a white picture", lambda: edits.png(edits.white((640, 360))))
    yield hard(
        "pictures/layers.psd", "a layered file, a kind not supported", edits.empty_photoshop_file
    )
    yield hard(
        "scripts/note_to_wardrobe.txt",
        "a note of five words",
        script_file("drop", "note_to_wardrobe.txt").read_bytes,
    )


def write_works(folder: Path) -> Path:
    """Writes the works and their manifest into `folder`; returns the manifest's path."""
    rows = []
    for work in WORKS:
        for source in work.sources:
            photo = PHOTOGRAPHS.get(source)
            if photo:
                path, content = f"pictures/{photo.file}", photograph_file(source).read_bytes()
                credit = f"{photo.credit}; {photo.terms}"
            else:
                path = f"scripts/{source}"
                content = script_file("works", source).read_bytes()
                credit = "Written for the Clearance demo; Apache-2.0"
            _write(folder / path, content)
            rows.append((work.work_id, work.title, work.rightsholder, work.rights, path, credit))
    manifest = folder / "works.csv"
    header = ("work_id", "title", "rightsholder", "rights", "path", "credit")
    _write_csv(manifest, header, rows)
    _write(folder.parent / "CREDITS.txt", credits_text().encode())
    return manifest


def write_drop(folder: Path) -> tuple[Planted, ...]:
    """Writes the drop into `folder`, and its ground truth as truth.csv next to `folder`."""
    files = planted()
    for file in files:
        _write(folder / file.asset_path, file.content())
    _write_csv(
        folder.parent / "truth.csv",
        ("asset_path", "what", "truth", "work_id"),
        [(file.asset_path, file.what, file.truth, file.work_id or "") for file in files],
    )
    return files


def credits_text() -> str:
    """Whose the demo's pictures and screenplays are, and on which terms they are used."""
    lines = [
        "Photographs from scikit-image's sample data; credits and terms are those that its",
        "documentation states. Edited copies of them are in the drop.",
        "",
    ]
    lines += [
        f"  {photo.file}: {photo.shows}. {photo.credit}; {photo.terms}."
        for photo in PHOTOGRAPHS.values()
    ]
    lines += ["", "Screenplays: written for the Clearance demo, Apache-2.0 like the program.", ""]
    return "\n".join(lines)


def _write(file: Path, content: bytes) -> None:
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_bytes(content)


def _write_csv(file: Path, header: tuple[str, ...], rows: Sequence[tuple[str, ...]]) -> None:
    with file.open("w", encoding="utf-8", newline="") as stream:
        writer = csv.writer(stream, lineterminator="\n")
        writer.writerow(header)
        writer.writerows(rows)
