"""The first page of the report: counts by work, by rightsholder, by folder and by stage."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from pipeline.core.records import Band, Match, Outcome, RiskRow
from pipeline.core.wording.text import capitalized, count, visible
from pipeline.report.unscreened import REASONS
from pipeline.results.table_checks import FLAGGED
from pipeline.stages import STAGES, stage_title
from reference_index.interface import Work

MAX_FOLDERS = 30
"""Folders counted apart; of a drop with more, those that lie deep are counted with their parent."""

NO_HOLDER = "No rightsholder registered"
TOP = "(not in a folder)"


@dataclass(frozen=True, slots=True)
class WorkLine:
    """A work that was found, with the files that have evidence of it.

    Attributes:
        number: of the work in the page, by which rows are filtered.
        title, work_id, rightsholder, rights: as registered.
        files: by flagged band, most urgent first; a file with several works counts for each.
    """

    number: int
    title: str
    work_id: str
    rightsholder: str
    rights: str
    files: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class HolderLine:
    """A rightsholder whose works were found.

    Attributes:
        number: of the rightsholder in the page.
        name: as registered.
        works: how many of the works of the index are theirs.
        found: how many of these have evidence.
        files: as of `WorkLine`; a file with several works of theirs counts once.
    """

    number: int
    name: str
    works: int
    found: int
    files: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class FolderLine:
    """A folder of the drop; `files` by band, all bands."""

    name: str
    files: tuple[int, ...]

    @property
    def total(self) -> int:
        """How many files it holds."""
        return sum(self.files)


@dataclass(frozen=True, slots=True)
class Summary:
    """The first page.

    Attributes:
        works, holders, folders: most urgent first; folders by name.
        stages: a sentence for each stage that applies to some file.
        work_numbers, holder_numbers: of what was found, by work id and by rightsholder.
    """

    works: tuple[WorkLine, ...]
    holders: tuple[HolderLine, ...]
    folders: tuple[FolderLine, ...]
    stages: tuple[tuple[str, str], ...]
    work_numbers: Mapping[str, int]
    holder_numbers: Mapping[str, int]

    def works_of(self, row: RiskRow) -> list[int]:
        """Numbers of the works that a row has evidence of."""
        return [self.work_numbers[match.work_id] for match in _counted(row)]

    def holders_of(self, row: RiskRow, works: Mapping[str, Work]) -> list[int]:
        """Numbers of the rightsholders of these."""
        names = {_holder(works[match.work_id]) for match in _counted(row)}
        return sorted(self.holder_numbers[name] for name in names)


def summary_of(rows: Sequence[RiskRow], works: Mapping[str, Work]) -> Summary:
    """The first page of some rows; `works` are those of the index, by work id."""
    by_work: dict[str, Counter[Band]] = {}
    by_holder: dict[str, Counter[Band]] = {}
    for row in rows:
        of_row: dict[str, Band] = {}
        for match in _counted(row):
            band = match.band if match.band is not None and match.band in FLAGGED else row.band
            by_work.setdefault(match.work_id, Counter())[band] += 1
            holder = _holder(works[match.work_id])
            of_row[holder] = min(of_row.get(holder, band), band, key=FLAGGED.index)
        for holder, band in of_row.items():
            by_holder.setdefault(holder, Counter())[band] += 1
    registered = Counter(_holder(work) for work in works.values())
    found = Counter(_holder(works[work_id]) for work_id in by_work)
    ordered = sorted(by_work, key=lambda one: (_most(by_work[one]), works[one].title, one))
    holders = sorted(by_holder, key=lambda one: (_most(by_holder[one]), one))
    work_numbers = {work_id: number for number, work_id in enumerate(ordered, start=1)}
    holder_numbers = {holder: number for number, holder in enumerate(holders, start=1)}
    return Summary(
        works=tuple(
            WorkLine(
                work_numbers[work_id],
                visible(works[work_id].title),
                visible(work_id),
                visible(works[work_id].rightsholder),
                visible(works[work_id].rights),
                _files(by_work[work_id], FLAGGED),
            )
            for work_id in ordered
        ),
        holders=tuple(
            HolderLine(
                holder_numbers[holder],
                visible(holder),
                registered[holder],
                found[holder],
                _files(by_holder[holder], FLAGGED),
            )
            for holder in holders
        ),
        folders=_folders(rows),
        stages=tuple(_stages(rows)),
        work_numbers=work_numbers,
        holder_numbers=holder_numbers,
    )


def _counted(row: RiskRow) -> list[Match]:
    return [match for match in row.matches if not match.suppressed]


def _holder(work: Work) -> str:
    return work.rightsholder.strip() or NO_HOLDER


def _files(counted: Mapping[Band, int], bands: Iterable[Band]) -> tuple[int, ...]:
    return tuple(counted.get(band, 0) for band in bands)


def _most(counted: Mapping[Band, int]) -> tuple[int, ...]:
    return tuple(-number for number in _files(counted, FLAGGED))


def _folders(rows: Iterable[RiskRow]) -> tuple[FolderLine, ...]:
    """Files by the folder that they lie in, and band: as deep as `MAX_FOLDERS` allows, at least the
    first part of the path.
    """
    files = [(row.asset.asset_path.split("/")[:-1], row.band) for row in rows]
    depth = max((len(parts) for parts, _ in files), default=1)
    while depth > 1 and len({tuple(parts[:depth]) for parts, _ in files}) > MAX_FOLDERS:
        depth -= 1
    counted: dict[tuple[str, ...], Counter[Band]] = {}
    for parts, band in files:
        counted.setdefault(tuple(parts[:depth]), Counter())[band] += 1
    return tuple(
        FolderLine(visible("/".join(parts)) or TOP, _files(counted[parts], Band))
        for parts in sorted(counted)
    )


def _stages(rows: Iterable[RiskRow]) -> Iterable[tuple[str, str]]:
    """For each stage, its title, and how many files it compared, could not judge or was not run
    for.
    """
    counted: dict[str, Counter[tuple[Outcome, str]]] = {}
    for row in rows:
        for one in row.outcomes:
            if one.outcome is not Outcome.NOT_APPLICABLE and row.asset.fault is None:
                why = REASONS.get(one.reason, str(one.reason)) if one.reason else ""
                counted.setdefault(one.stage, Counter())[one.outcome, why] += 1
    for stage in [*(name for name in STAGES if name in counted), *(counted.keys() - STAGES.keys())]:
        ran = sum(n for (o, _), n in counted[stage].items() if o in _RAN)
        parts = [f"compared {count(ran, 'file')}"]
        for outcome, words in _DID_NOT.items():
            whys = Counter({w: n for (o, w), n in counted[stage].items() if o is outcome})
            if whys:
                because = "; ".join(dict.fromkeys(why for why, _ in whys.most_common() if why))
                because = f" ({because[:1].lower()}{because[1:]})" if because else ""
                parts.append(f"{words} {whys.total():,}{because}")
        yield capitalized(visible(stage_title(stage))), ", ".join(parts)


_RAN = (Outcome.MATCHED, Outcome.NO_MATCH)
_DID_NOT = {
    Outcome.ABSTAINED: "could not judge",
    Outcome.SKIPPED: "was not run for",
    Outcome.FAILED: "failed on",
}
