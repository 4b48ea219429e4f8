"""The commands, options, make targets and links in the documentation exist."""

from __future__ import annotations

import re
import shlex
import tomllib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).resolve().parents[1]
PAGES = sorted(
    page
    for pattern in ("*.md", "docs/**/*.md", "notebooks/*.md", "benchmarks/**/*.md")
    for page in ROOT.glob(pattern)
)
FENCE = re.compile(r"^```(\w*)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
SHELLS = {"sh", "bash", "console", "shell"}

pytestmark = pytest.mark.skipif(
    not (ROOT / "README.md").is_file(), reason="the documentation is only in a source checkout"
)


def name_of(page: Path) -> str:
    return page.relative_to(ROOT).as_posix()


def typed_lines(page: Path) -> Iterator[str]:
    """Every line of the page's shell blocks, continued lines joined, prompts taken off."""
    for language, body in FENCE.findall(page.read_text(encoding="utf-8")):
        if language in SHELLS:
            for raw in body.replace("\\\n", " ").splitlines():
                line = raw.removeprefix("$ ").strip()
                if line and not line.startswith("#"):
                    yield line


def inline_commands(page: Path) -> Iterator[str]:
    """`clearance …` and `make …` in running text, such as `clearance index create IDX`."""
    text = FENCE.sub("", page.read_text(encoding="utf-8"))
    for raw in re.findall(r"`([^`]+)`", text):
        code = " ".join(raw.split())
        if code.startswith(("clearance ", "make ")):
            yield code


def command_tree() -> Any:
    import typer

    from pipeline.cli import app

    return typer.main.get_command(app)


def walk(words: list[str]) -> tuple[Any, list[str], list[str]]:
    """The command that the words name, its names, and the words that are left."""
    command, names = command_tree(), []
    while words and words[0] in getattr(command, "commands", {}):
        command = command.commands[words[0]]
        names.append(words[0])
        words = words[1:]
    return command, names, words


def options_of(command: Any) -> set[str]:
    flags = {flag for one in command.params for flag in (*one.opts, *one.secondary_opts)}
    return {*flags, "--help"}


COMMANDS = [
    (name_of(page), line)
    for page in PAGES
    for line in typed_lines(page)
    if line.startswith("clearance ")
]
INLINE = [
    (name_of(page), code)
    for page in PAGES
    for code in inline_commands(page)
    if code.startswith("clearance ")
]
MAKES = [
    (name_of(page), line)
    for page in PAGES
    for line in (*typed_lines(page), *inline_commands(page))
    if line.startswith("make ")
]


def test_the_readme_shows_commands() -> None:
    readme_commands = [line for page, line in COMMANDS if page == "README.md"]
    assert any(line.startswith("clearance screen") for line in readme_commands)


@pytest.mark.parametrize(("page", "line"), COMMANDS)
def test_a_command_that_is_shown_can_be_parsed(page: str, line: str) -> None:
    command, names, rest = walk(shlex.split(line, comments=True)[1:])
    assert not getattr(command, "commands", {}), f"{page}: {line!r} names no command"
    unknown = {word.partition("=")[0] for word in rest if word.startswith("--")}
    assert unknown <= options_of(command), f"{page}: {line!r}"
    with command.make_context(" ".join(names), list(rest)):
        pass  # parsed: no argument is missing, none is too many, no value is of a wrong kind


@pytest.mark.parametrize(("page", "code"), INLINE)
def test_a_command_in_running_text_exists(page: str, code: str) -> None:
    for one in _alternatives(code):
        command, names, rest = walk(one.split()[1:])
        options = {word for word in rest if word.startswith("--")}
        assert names or options <= {"--help", "--version"}, f"{page}: {code!r} names no command"
        assert options <= options_of(command), f"{page}: {code!r}"


def _alternatives(code: str) -> list[str]:
    """`clearance index add|remove` is two commands."""
    for word in code.split():
        if "|" in word:
            return [code.replace(word, choice) for choice in word.split("|")]
    return [code]


def every_command(command: Any, names: tuple[str, ...] = ()) -> Iterator[tuple[str, ...]]:
    inner = getattr(command, "commands", {})
    if not inner:
        yield names
    for name, one in inner.items():
        yield from every_command(one, (*names, name))


def test_every_command_is_shown() -> None:
    documented = {tuple(walk(shlex.split(line)[1:])[1]) for _, line in COMMANDS}
    assert set(every_command(command_tree())) <= documented


def test_every_command_has_help_and_json() -> None:
    from typer.testing import CliRunner

    from pipeline.cli import app

    for names in every_command(command_tree()):
        done = CliRunner().invoke(app, [*names, "--help"])
        assert done.exit_code == 0, names
        assert "--json" in done.output, names


def targets() -> dict[str, str]:
    text = (ROOT / "Makefile").read_text(encoding="utf-8")
    return dict(re.findall(r"^([a-z]+):[^#\n]*## (.+)$", text, re.MULTILINE))


@pytest.mark.parametrize(("page", "line"), MAKES)
def test_a_make_target_that_is_shown_exists(page: str, line: str) -> None:
    named = [word for word in shlex.split(line, comments=True)[1:] if "=" not in word]
    assert named, f"{page}: {line!r}"
    assert set(named) <= set(targets()), f"{page}: {line!r}"


def test_make_has_the_targets_that_others_call() -> None:
    assert {"demo", "test", "lint", "bench", "format", "clean", "help"} <= set(targets())
    ci = (ROOT / ".ci" / "run").read_text(encoding="utf-8")
    assert "make lint" in ci
    assert ci.rstrip().endswith("make lint\nmake test\nmake slow")
    assert (ROOT / ".ci" / "run").stat().st_mode & 0o111


def slug(heading: str) -> str:
    return re.sub(r"[^\w\- ]", "", heading.lower()).strip().replace(" ", "-")


@pytest.mark.parametrize("page", PAGES, ids=name_of)
def test_links_lead_somewhere(page: Path) -> None:
    text = FENCE.sub("", page.read_text(encoding="utf-8"))
    broken = []
    for target in re.findall(r"\]\(([^)\s]+)\)", text):
        if re.match(r"[a-z]+:", target):
            continue
        file, _, anchor = target.partition("#")
        linked_file = (page.parent / file).resolve() if file else page
        if not linked_file.is_file():
            broken.append(target)
        elif anchor:
            headings = re.findall(
                r"^#+ (.+)$", linked_file.read_text(encoding="utf-8"), re.MULTILINE
            )
            if anchor not in map(slug, headings):
                broken.append(target)
    assert not broken


def test_every_page_is_in_the_index() -> None:
    index = (ROOT / "docs" / "index.md").read_text(encoding="utf-8")
    pages = {page.relative_to(ROOT / "docs").as_posix() for page in ROOT.glob("docs/**/*.md")}
    listed = set(re.findall(r"\]\(([^)#]+)\)", index))
    assert pages - {"index.md"} <= listed


def test_modules_that_contributing_names_exist() -> None:
    text = (ROOT / "CONTRIBUTING.md").read_text(encoding="utf-8")
    rows = re.findall(r"^\| `([\w/]+/)` \|(.*)$", text, re.MULTILINE)
    assert len(rows) == len(list(ROOT.glob("pipeline/*/__init__.py"))) + 1
    missing = [
        f"{package}{name}"
        for package, cells in rows
        for name in re.findall(r"`([\w/]+(?:\.py|/))`", cells)
        if not (ROOT / package / name).exists()
    ]
    assert not missing


def test_configurations_that_are_named_exist() -> None:
    for page in PAGES:
        for named in re.findall(r"\bconfigs/[\w.-]+\.yaml", page.read_text(encoding="utf-8")):
            assert (ROOT / named).is_file(), f"{name_of(page)} names {named}"


def test_the_exit_statuses_are_those_of_the_program() -> None:
    from pipeline.cli import exit_statuses

    page = (ROOT / "docs" / "getting-started.md").read_text(encoding="utf-8")
    table = set(map(int, re.findall(r"^\| (\d+) \|", page, re.MULTILINE)))
    statuses = vars(exit_statuses).items()
    assert table == {value for name, value in statuses if name.startswith("EXIT_")}


def test_every_band_is_explained() -> None:
    from pipeline.core.records import Band

    page = (ROOT / "README.md").read_text(encoding="utf-8")
    assert re.findall(r"^\| `(\w+)` \|", page, re.MULTILINE)[-len(Band) :] == list(Band)


def test_the_least_passage_is_that_of_the_program() -> None:
    from pipeline.stages.text_overlap import TextOverlapSettings

    least = TextOverlapSettings().min_words
    for page, says in (
        ("README.md", f"Passages of fewer than {least} words are not looked for by default"),
        ("docs/getting-started.md", f"a passage must have {least} agreeing words"),
    ):
        assert says in " ".join((ROOT / page).read_text(encoding="utf-8").split())


def constraints() -> dict[str, str]:
    text = (ROOT / "constraints.txt").read_text(encoding="utf-8")
    lines = [line for line in text.splitlines() if line and not line.startswith("#")]
    assert all(re.fullmatch(r"[a-z0-9-]+==[0-9][0-9a-z.]*", line) for line in lines)
    return dict(line.split("==") for line in lines)


def test_constraints_name_every_library_and_nothing_but_versions() -> None:
    versions = constraints()
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    wanted = [*project["dependencies"], *project["optional-dependencies"]["test"]]
    names = {re.split(r"[<>=!\[ ;]", one)[0].lower().replace("_", "-") for one in wanted}
    assert names <= set(versions)


def test_libraries_are_all_listed() -> None:
    page = (ROOT / "docs" / "libraries.md").read_text(encoding="utf-8").lower()
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    wanted = [*project["dependencies"], *project["optional-dependencies"]["test"]]
    missing = [one for one in wanted if re.split(r"[<>=!\[ ;]", one)[0].lower() not in page]
    assert not missing
