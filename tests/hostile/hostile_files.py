"""Special files (links, pipes, sparse files) and unusual names."""

from __future__ import annotations

import os
import socket
from pathlib import Path

from corpus import Expect, Plan, kind
from hostile_pictures import sound

WORDS = b"He reads the letter twice and folds it into the lining of his coat before they come. " * 3
TEBIBYTE = 2**40


@kind(Expect.REFUSED)
def empty(plan: Plan):
    for suffix in (
        ".jpg", ".png", ".webp", ".gif", ".tif", ".bmp", ".avif", ".txt", ".md", ".fountain",
        ".fdx", ".fadein", ".docx", ".pdf", ".srt", ".vtt", "",
    ):  # fmt: skip
        yield f"empty{suffix}", b""


@kind(Expect.GOOD)
def names(plan: Plan):
    for number, name in enumerate(
        (
            "new\nline", "\ttab", "carriage\rreturn", "bell\a\x1b[2Jescape", "\x7fdelete",
            "-rf", "--out=x", "=cmd()|' -C calc'!A0", "+1", "@x", "<script>alert(1)<\u2215script>",
            "\u202egnp.exe", "\u200bzero", "e\u0301", "\u00e9", "UPPER", "upper", "CON", "nul.",
            " leading", "trailing ", "quote\"'`", "$(touch made)", ";touch made;", "%00%2e%2e",
            "back\\slash", "\\x0a", "*?[a]", "~root", "#{1}", "\U0001f4a3", "l" * 240, "..png",
        )
    ):  # fmt: skip
        if number % 2:
            yield f"{name}.txt", WORDS + str(number).encode()
        else:
            yield f"{name}.png", sound(100 + number)
    for raw in (b"latin-\xe9.txt", b"\xff\xfe.txt", b"\xed\xa0\x80surrogate.txt", b"\xf0\x9f.txt"):
        yield raw, WORDS + raw


def link(target, *, folder=False):
    return lambda path: path.symlink_to(target, target_is_directory=folder)


@kind(Expect.REFUSED)
def links(plan: Plan):
    yield "out.txt", link(plan.outside / "secret.txt")
    yield "out_relative.txt", link(Path("../../") / plan.outside.name / "secret.txt")
    yield "out_folder", link(plan.outside, folder=True)
    yield "root", link("/", folder=True)
    yield "itself.png", link("itself.png")
    yield "here", link(".", folder=True)
    yield "up", link("..", folder=True)
    yield "nowhere.jpg", link("gone.jpg")
    yield "two_a.png", link("two_b.png")
    yield "two_b.png", link("two_a.png")
    yield "zero.png", link("/dev/zero")
    yield "memory.txt", link("/proc/self/mem")
    yield "standard_input.txt", link("/dev/stdin")
    yield "through/out.txt", link("../../links/out.txt")


@kind(Expect.REFUSED)
def pipes_and_sockets(plan: Plan):
    def bound(path):
        before = Path.cwd()
        os.chdir(path.parent)  # a socket's whole path may not be long
        try:
            with socket.socket(socket.AF_UNIX) as listener:
                listener.bind(path.name)
        finally:
            os.chdir(before)

    for suffix in (".png", ".txt", ".pdf", ".docx"):
        yield f"pipe{suffix}", os.mkfifo
        yield f"socket{suffix}", bound


@kind(Expect.EITHER)
def no_right_to_read(plan: Plan):
    def closed(path):
        path.write_bytes(WORDS)
        path.chmod(0)

    for number in range(4):
        yield f"closed_{number}.txt", closed


@kind(Expect.GOOD)
def deep_folders(plan: Plan):
    for depth in (5, 20, 60, 100):
        yield "/".join(["d" * 20] * depth) + "/deep.txt", WORDS + str(depth).encode()


@kind(Expect.GOOD)
def hard_links(plan: Plan):
    yield "first.png", sound(200)
    for number in range(4):
        yield f"again_{number}.png", lambda path: os.link(path.parent / "first.png", path)


@kind(Expect.REFUSED)
def sparse(plan: Plan):
    """Files of a tebibyte that take no room."""

    def tebibyte(path):
        with path.open("wb") as file:
            file.write(sound(0) if path.suffix == ".png" else WORDS)
            file.truncate(TEBIBYTE)

    for suffix in (".png", ".txt", ".pdf", ".bin"):
        yield f"sparse{suffix}", tebibyte


@kind(Expect.REFUSED)
def gone_before_they_are_read(plan: Plan):
    """Files that are there when the drop is listed; the test takes them away or changes them."""
    for number in range(8):
        name, data = (f"going_{number}.png", sound(300 + number))
        yield (name, data) if number % 2 else (f"going_{number}.txt", WORDS + bytes([65 + number]))
