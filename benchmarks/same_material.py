"""What `benchmarks.same_results` registers, screens and scans: files, and the same each time.

It uses nothing of Clearance, so that it stands beside any version of it.
"""

from __future__ import annotations

import csv
import html
import io
import shutil
import zipfile
from collections.abc import Sequence
from pathlib import Path

from PIL import Image

PICTURES = frozenset(
    {".jpg", ".jpeg", ".png", ".webp", ".gif", ".tif", ".tiff", ".bmp", ".avif"}
)  # fmt: skip
SCRIPTS = frozenset(
    {".txt", ".md", ".fountain", ".fdx", ".fadein", ".docx", ".pdf", ".srt", ".vtt"}
)
RIGHTS = ("protected", "protected", "licensed", "protected", "public_domain", "own")
MADE_LINES = 160
"""Lines of a text that each made script has."""


def lay_out(images: Path, texts: Path, drop: Path) -> None:
    """Copies all files of the two folders into `drop`, and adds some in kinds that they lack.

    Raises:
        SystemExit: if a folder holds no files of its kind.
    """
    for name, source in (("images", images), ("texts", texts)):
        shutil.copytree(source, drop / name, copy_function=shutil.copyfile)
    pictures = [file for file in files_below(drop) if file.suffix.lower() in PICTURES]
    plain = [file for file in files_below(drop) if file.suffix.lower() == ".txt"]
    if not pictures or not plain:
        raise SystemExit("There must be pictures below --images and .txt files below --texts.")
    made = drop / "made"
    made.mkdir()
    lines = _lines(plain)
    for name, data in {**_scripts(lines), **_pictures(pictures)}.items():
        (made / name).write_bytes(data)
    (made / "empty.txt").touch()
    (made / "cut short.png").write_bytes(pictures[0].read_bytes()[:300])


def files_below(folder: Path) -> list[Path]:
    """Every file, in the order of their paths."""
    return sorted(file for file in folder.rglob("*") if file.is_file())


def write_works(folder: Path, files: Sequence[Path], manifest: Path, first: int = 1) -> int:
    """A manifest of these files, as far as their kinds are supported; how many works it has.

    Every seventh work has two files.

    Args:
        folder: the manifest's, which paths are relative to.
        files: in the order in which they are numbered.
        manifest: the file to write.
        first: number of the first work.
    """
    known = [file for file in files if file.suffix.lower() in PICTURES | SCRIPTS]
    number, rows = first - 1, []
    for place, file in enumerate(known):
        if place % 8 != 7:
            number += 1
        title = f"Work {number}" if place % 8 in (6, 7) else file.stem
        owner, rights = f"Owner {number % 5}", RIGHTS[number % len(RIGHTS)]
        path = file.relative_to(folder).as_posix()
        rows.append([f"W-{number:04d}", title, owner, rights, path])
    with manifest.open("w", newline="", encoding="utf-8") as out:
        written = csv.writer(out)
        written.writerow(["work_id", "title", "rightsholder", "rights", "path"])
        written.writerows(rows)
    return number - first + 1


def change(drop: Path) -> None:
    """What happens to a drop between two scans: files changed, cut short, added, moved, deleted."""
    files = files_below(drop)
    for place, file in enumerate(files):
        data = file.read_bytes()
        if place % 17 == 3:  # the bytes of the next one of its kind
            others = [one for one in files if one.suffix == file.suffix and one.exists()]
            file.write_bytes(others[(others.index(file) + 1) % len(others)].read_bytes())
        elif place % 17 == 7 and file.suffix in (".txt", ".fountain"):
            file.write_bytes(data[: len(data) // 3])
        elif place % 41 == 11:
            file.write_bytes(data[:200])
        elif place % 23 == 5:
            file.with_stem(f"{file.stem} again").write_bytes(data)
        elif place % 29 == 13:
            file.rename(file.with_stem(f"{file.stem} moved"))
        elif place % 31 == 17:
            file.unlink()


def _lines(plain: Sequence[Path]) -> list[str]:
    """From the middle of the largest text."""
    largest = max(plain, key=lambda file: (file.stat().st_size, file.name))
    found = [
        line.strip()
        for line in largest.read_text(encoding="utf-8", errors="replace").splitlines()
        if line.strip()
    ]
    middle = len(found) // 2
    return found[middle : middle + MADE_LINES]


def _scripts(lines: Sequence[str]) -> dict[str, bytes]:
    times = [f"00:{n // 60:02d}:{n % 60:02d}" for n in range(len(lines))]
    cues = [f"{n + 1}\n{times[n]},000 --> {times[n]},900\n{line}\n" for n, line in enumerate(lines)]
    vtt = [f"{times[n]}.000 --> {times[n]}.900\n{line}\n" for n, line in enumerate(lines)]
    return {
        "lines.md": ("# A scene\n\n" + "\n".join(lines)).encode(),
        "lines.srt": "\n".join(cues).encode(),
        "lines.vtt": ("WEBVTT\n\n" + "\n".join(vtt)).encode(),
        "lines.docx": _docx(lines),
        "lines.pdf": _pdf(lines),
        "lines, utf-16.txt": "\r\n".join(lines).encode("utf-16"),
    }


def _docx(lines: Sequence[str]) -> bytes:
    kind = "application/vnd.openxmlformats-officedocument.wordprocessingml.document.main+xml"
    relation = "http://schemas.openxmlformats.org/officeDocument/2006/relationships/officeDocument"
    said = "".join(f"<w:p><w:r><w:t>{html.escape(line)}</w:t></w:r></w:p>" for line in lines)
    parts = {
        "[Content_Types].xml": '<Types xmlns="http://schemas.openxmlformats.org/package/2006/'
        'content-types"><Default Extension="rels" ContentType="application/vnd.openxmlformats-'
        'package.relationships+xml"/><Override PartName="/word/document.xml" '
        f'ContentType="{kind}"/></Types>',
        "_rels/.rels": '<Relationships xmlns="http://schemas.openxmlformats.org/package/2006/'
        f'relationships"><Relationship Id="r1" Type="{relation}" Target="word/document.xml"/>'
        "</Relationships>",
        "word/document.xml": '<w:document xmlns:w="http://schemas.openxmlformats.org/'
        f'wordprocessingml/2006/main"><w:body>{said}</w:body></w:document>',
    }
    sink = io.BytesIO()
    with zipfile.ZipFile(sink, "w") as file:
        for name, text in parts.items():
            file.writestr(zipfile.ZipInfo(name, (1980, 1, 1, 0, 0, 0)), text)
    return sink.getvalue()


def _pdf(lines: Sequence[str]) -> bytes:
    """PDF 1.4 by hand, 40 lines a page; letters that its font lacks are question marks."""
    pages = [lines[start : start + 40] for start in range(0, len(lines), 40)]
    kids = " ".join(f"{4 + 2 * place} 0 R" for place in range(len(pages)))
    objects = [
        b"<< /Type /Catalog /Pages 2 0 R >>",
        f"<< /Type /Pages /Count {len(pages)} /Kids [{kids}] >>".encode(),
        b"<< /Type /Font /Subtype /Type1 /BaseFont /Courier /Encoding /WinAnsiEncoding >>",
    ]
    for page in pages:
        objects.append(
            b"<< /Type /Page /Parent 2 0 R /MediaBox [0 0 612 792] /Resources << /Font << /F1 3 0 "
            b"R >> >> /Contents %d 0 R >>" % (len(objects) + 2)
        )
        said = [b"BT /F1 10 Tf"]
        for place, line in enumerate(page):
            coded = line.encode("cp1252", "replace")
            for special in (b"\\", b"(", b")"):
                coded = coded.replace(special, b"\\" + special)
            said.append(b"1 0 0 1 72 %d Tm (%s) Tj" % (720 - 16 * place, coded))
        stream = b"\n".join([*said, b"ET"])
        objects.append(b"<< /Length %d >>\nstream\n%s\nendstream" % (len(stream), stream))
    out, places = b"%PDF-1.4\n", []
    for number, body in enumerate(objects, 1):
        places.append(len(out))
        out += b"%d 0 obj\n%s\nendobj\n" % (number, body)
    head = b"xref\n0 %d\n0000000000 65535 f \n" % (len(objects) + 1)
    table = head + b"".join(b"%010d 00000 n \n" % place for place in places)
    tail = b"trailer << /Size %d /Root 1 0 R >>\nstartxref\n%d\n%%%%EOF\n"
    return out + table + tail % (len(objects) + 1, len(out))


def _pictures(pictures: Sequence[Path]) -> dict[str, bytes]:
    """The two largest pictures, edited, in kinds that are rarer."""
    largest = sorted(pictures, key=lambda file: (-file.stat().st_size, file.name))[:2]
    opened = []
    for file in largest:
        with Image.open(file) as picture:
            opened.append(picture.convert("RGB").resize((480, 360)))
    one, other = opened[0], opened[-1]
    mirrored = one.transpose(Image.Transpose.FLIP_LEFT_RIGHT)
    inset = other.copy()
    inset.paste(one.resize((240, 180)), (60, 60))
    return {
        "mirrored.tiff": _coded(mirrored, "TIFF"),
        "turned.bmp": _coded(one.rotate(90, expand=True), "BMP"),
        "inset.jpg": _coded(inset, "JPEG", quality=80),
        "two frames.gif": _coded(other, "GIF", save_all=True, append_images=[one]),
        "white.png": _coded(Image.new("RGB", (200, 200), "white"), "PNG"),
    }


def _coded(picture: Image.Image, kind: str, **options: object) -> bytes:
    sink = io.BytesIO()
    picture.save(sink, kind, **options)
    return sink.getvalue()
