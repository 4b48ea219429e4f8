"""One nightly scan, from its lock to its last file: the one place that knows the order."""

from __future__ import annotations

import json
import time
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from functools import partial
from pathlib import Path
from typing import Any

from pipeline.core.environment import new_run_id, now
from pipeline.core.errors import ConfigError, DropError, Reason, RunError, ScanBusyError, ScanError
from pipeline.core.layout import HISTORY, LATEST, LOCK, STATE
from pipeline.drops.drop import OpenDrop, open_drop
from pipeline.drops.places import absolute
from pipeline.results.files import StoredRun
from pipeline.runtime.progress import Progress, silent
from pipeline.scan.events import Event, EventSink, discard_event
from pipeline.scan.history_folder import (
    began,
    earlier_and_later,
    erase,
    finish_erasing,
    left_notes,
    scan_results,
    taken_in,
)
from pipeline.scan.incremental import UNCHANGED, Due, IncrementalScreener, Way
from pipeline.scan.listing import Listing, list_drops
from pipeline.scan.memory.cache_keys import cache_keys_of, content_of
from pipeline.scan.memory.index_change import IndexChanges
from pipeline.scan.memory.state import KnownScan, ScanCache
from pipeline.scan.output.notes import record_notes, unreachable_notes
from pipeline.scan.output.rows import Context
from pipeline.scan.output.tables import write_outputs
from pipeline.scan.settings import ScanSettings
from pipeline.screening.recorded import Recorded, record_if_sound
from pipeline.screening.run_record import run_info
from pipeline.screening.screen import check_places
from pipeline.screening.stage_runner import open_runners, opening_keys
from reference_index.errors import IndexCorruptError
from reference_index.locks import HeldError, LockError, held
from reference_index.store import ReferenceIndex

MARK = "clearance scan"

OnMessage = Callable[[str], None]
"""Told, in a sentence, what a scan is about to do."""


def ignore_message(_sentence: str) -> None:
    """Message callback that does nothing."""


@dataclass(frozen=True)
class ScanResult:
    """A scan that completed.

    Attributes:
        folder: where its results lie; `latest` in the scan directory leads there too.
        summary: what delta.json says.
        notes: what a reader must know besides.
        arriving: paths of files that are still arriving, and were left to the next scan.
    """

    folder: Path
    summary: dict[str, Any]
    notes: tuple[str, ...]
    arriving: frozenset[str] = frozenset()


def scan(
    settings: ScanSettings,
    *,
    progress: Progress = silent,
    on_message: OnMessage = ignore_message,
    on_event: EventSink = discard_event,
) -> ScanResult:
    """Scans every drop, judges what changed, and writes the answer.

    Killed at any moment and started again, it goes on where it was; results of earlier scans stay
    whole until the new ones are complete.

    Raises:
        ScanError: if another scan holds the directory, or its cache can't be used.
        DropError: if results can't be written.
        ConfigError, ReferenceIndexError: as in `pipeline.screening.screen.screen`.
    """
    out, index_path = settings.place(settings.out), settings.place(settings.index)
    drops = {name: settings.drop_place(name) for name in settings.drops}
    by_place: dict[str, str] = {}
    for name, where in drops.items():
        check_places(where, index_path, out)
        other = by_place.setdefault(absolute(where), name)
        if other != name:
            raise ConfigError(f"The drops {other} and {name} are the same folder; leave one out.")
    config = settings.config()
    with scan_directory(out) as cache, ExitStack() as stack:
        started, scan_id = now(), new_run_id()
        on_event(Event.STARTED, {"scan_id": scan_id, "drops": len(drops)})
        progress("Opening the index", 0, None)
        index = ReferenceIndex.open(index_path)
        faults = index.verify()
        if faults:
            raise IndexCorruptError(
                f"The index {index_path} is damaged and was not scanned against ({faults[0]}); run "
                f"`clearance index verify {index_path}`, and restore it from a copy."
            )
        runners = open_runners(index, config.stage_settings, cache.opened_before())
        cache.put_opened(opening_keys(runners))
        cache_keys = cache_keys_of(runners, config)
        cache.begin(KnownScan(scan_id, started, cache_keys.rows, index.version, index.digest))
        facts = {"index_version": index.version, "works": len(index.works)}
        on_event(Event.INDEX_OPENED, {**facts, "config_fingerprint": config.fingerprint()})
        sources = {
            name: stack.enter_context(
                open_drop(where, config.limits.max_file_bytes, config.object_storage)
            )
            for name, where in drops.items()
        }
        listing = list_drops(
            settings, sources, cache, scan_id, time.time(), config.limits.max_file_bytes, progress
        )
        _tell_listed(listing, drops, on_event)
        screener = IncrementalScreener(cache, index, runners, config, cache_keys, scan_id)
        due = _to_fetch(listing, _due(listing, screener))
        ways = {way.name.lower(): sum(one.way is way for one in due) for way in Way}
        on_event(Event.PLAN, {**ways, "fetch": listing.coming()})
        for sentence in plan_of(listing, due):
            on_message(sentence)
        due += _fetch(listing, sources, screener, progress)
        screener.run(due, progress)
        screener.run(_elsewhere(listing, screener, due), progress)
        progress("Writing the answer", 0, None)
        before, note = _before(cache, out)
        left = left_notes(out / HISTORY, {one.scan_id for one in cache.scans()})
        recorded = record_if_sound(
            settings.record_place(), before.run if before is not None else None
        )
        _tell_recorded(recorded, on_event)
        notes = (
            *([note] if note else []),
            *left,
            *record_notes(recorded, settings.record_is_named),
        )
        changes = IndexChanges(index)
        context = Context(
            cache=cache,
            index=index,
            runners=runners,
            config=config,
            listing=listing,
            screener=screener,
            info=run_info(scan_id, ", ".join(drops), started, index, config),
            before=before,
            change=(
                changes.since(before.run["index"]["version"], before.run["index"]["digest"])
                if before is not None
                else None
            ),
            drops=drops,
            recorded=recorded,
            notes=notes,
        )
        folder = out / HISTORY / scan_id
        summary = write_outputs(context, folder)
        on_event(Event.WRITTEN, {"files": summary["files"]})
        _finish(cache, settings, listing, due, scan_id, summary)
        _point_to(out, scan_id)
        _forget_old(cache, out, settings.keep_days)
    notes = (*unreachable_notes(listing), *context.notes)
    return ScanResult(folder, summary, notes, listing.arriving())


@contextmanager
def scan_directory(out: Path) -> Iterator[ScanCache]:
    """The cache of a scan directory, held against other scans, after what a scan that was cut off
    left is put right.

    Raises:
        ScanBusyError: if another scan holds it; says which.
        ScanError: if it can't be used.
    """
    try:
        (out / HISTORY).mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise ScanError(
            f"The scan directory {out} can't be made ({error.strerror}); name another one as `out`."
        ) from error
    try:
        with held(out / LOCK, MARK):
            cache = ScanCache(out / STATE)
            try:
                _put_right(cache, out)
                yield cache
            finally:
                cache.close()
    except HeldError as error:
        raise ScanBusyError(
            f"Another scan works in {out} ({error.holder}); wait for it to end. A scan that was "
            "killed holds nothing."
        ) from None
    except LockError as error:
        raise ScanError(f"The scan directory {out} {error}.") from None


def _put_right(cache: ScanCache, out: Path) -> None:
    """Takes away what a scan that was cut off left, and takes in scans that a lost cache forgot."""
    finish_erasing(out / HISTORY)
    scans = cache.scans()
    begun = [one.scan_id for one in scans if one.finished is None]
    found = taken_in(out / HISTORY, {one.scan_id for one in scans})
    # One that came back from a backup must not pass for the last.
    earlier, later = earlier_and_later(found, scans)
    # First their folders, which may hold whole results: the cache forgets such a scan only when
    # nobody can take it for one that was finished.
    for scan_id in begun:
        erase(out / HISTORY / scan_id)
    with cache.change():
        for scan_id in begun:
            if not (out / HISTORY / scan_id).exists():
                cache.forget_scan(scan_id)
        for one in reversed(earlier):
            cache.begin_in(one, before_all=True)
        for one in later:
            cache.begin_in(one)
        for one in found:
            cache.finish(one.scan_id, one.finished or one.started, "{}")
    finished = [one for one in cache.scans() if one.finished is not None]
    if finished:
        _point_to(out, finished[-1].scan_id)


def _due(listing: Listing, screener: IncrementalScreener) -> list[Due]:
    """What has to be done for each content, once; files of drops that could not be read are not
    loaded.
    """
    first: dict[str, Any] = {}
    for asset in listing.assets:
        content = content_of(asset)
        if content is None:
            continue
        if content not in first or first[content].asset_path in listing.as_known:
            first[content] = asset
    due = [screener.due(content, asset) for content, asset in first.items()]
    return [
        one for one in due if not (one.way is Way.LOAD and one.asset.asset_path in listing.as_known)
    ]


def _elsewhere(listing: Listing, screener: IncrementalScreener, due: Sequence[Due]) -> list[Due]:
    """Contents whose file was gone, or another, by the time it was loaded, as another file has
    them: who takes one copy away must not keep the others from being judged.
    """
    gone = {
        one.content: one
        for one in due
        if (passed := screener.passing.get(one.content)) is not None
        and passed[0].fault is not None
        and passed[0].fault.reason is Reason.UNREADABLE
    }
    found: dict[str, Due] = {}
    for asset in listing.assets if gone else ():
        content = content_of(asset)
        one = gone.get(content or "")
        if one is None or asset.asset_path == one.asset.asset_path:
            continue
        if asset.asset_path in listing.as_known or not Path(asset.file).exists():
            continue
        found.setdefault(one.content, replace(one, asset=asset))
    return list(found.values())


def _to_fetch(listing: Listing, due: list[Due]) -> list[Due]:
    """What is due and needs no object's bytes; the paths of the others are noted for fetching."""
    kept = []
    for one in due:
        name, _, path = one.asset.asset_path.partition("/")
        if one.way is Way.LOAD and path in listing.objects.get(name, {}):
            listing.to_fetch.setdefault(name, []).append(path)
        else:
            kept.append(one)
    return kept


def _fetch(
    listing: Listing,
    sources: Mapping[str, OpenDrop],
    screener: IncrementalScreener,
    progress: Progress,
) -> list[Due]:
    """Fetches and judges what has to be, and puts it among the assets; what is due besides."""
    assets = {asset.asset_path: asset for asset in listing.assets}
    rest: list[Due] = []
    total, done = sum(len(paths) for paths in listing.to_fetch.values()), 0
    for name, paths in listing.to_fetch.items():
        entries = listing.objects[name]
        for asset, due in sources[name].rows(
            [entries[path] for path in sorted(set(paths))],
            partial(screener.fetched, name, entries),
        ):
            assets[asset.asset_path] = asset
            rest += [due] if due is not None else []
            done += 1
            listing.read += 1
            progress("Fetching objects", done, total)
    listing.assets = sorted(assets.values(), key=lambda asset: asset.asset_path)
    return rest


def _tell_listed(listing: Listing, drops: Iterable[str], on_event: EventSink) -> None:
    files = Counter(path.partition("/")[0] for path in listing.paths())
    unreachable = {one.drop for one in listing.unreachable}
    for name in drops:
        event = Event.DROP_UNREACHABLE if name in unreachable else Event.DROP_LISTED
        on_event(event, {"drop": name, "files": files[name]})


def _tell_recorded(recorded: Recorded, on_event: EventSink) -> None:
    facts = {"state": recorded.use.value, "events": recorded.events}
    on_event(Event.RECORD, {**facts, "false_matches": len(recorded.suppressions)})


def plan_of(listing: Listing, due: Sequence[Due]) -> list[str]:
    """What a scan is about to do, in sentences."""
    files = len(listing.paths())
    said = [f"{files:,} file{'' if files == 1 else 's'} in the drops; {listing.read:,} were read."]
    arriving = len(listing.arriving())
    if arriving:
        said.append(f"{arriving:,} still arriving, and left to the next scan.")
    coming = listing.coming()
    if coming:
        said.append(f"{coming:,} to be fetched from object storage.")
    by_way: dict[Way, Counter[str]] = {}
    for one in due:
        by_way.setdefault(one.way, Counter())[one.why] += 1
    for way in (Way.KEEP, Way.COMPARE, Way.SEARCH, Way.LOAD):
        for why, number in by_way.get(way, Counter()).most_common():
            because = "" if why == UNCHANGED else f": {why}"
            said.append(f"{number:,} to be {_WAYS[way]}{because}.")
    return said


_WAYS = {
    Way.KEEP: "left as judged before",
    Way.COMPARE: "compared with the works that changed",
    Way.SEARCH: "searched for again, with kept fingerprints",
    Way.LOAD: "loaded and judged",
}


def _before(cache: ScanCache, out: Path) -> tuple[StoredRun | None, str]:
    """The last complete scan's results; with a sentence if they can't be read."""
    finished = [one for one in cache.scans() if one.finished is not None]
    if not finished:
        return None, ""
    try:
        return scan_results(out / HISTORY / finished[-1].scan_id), ""
    except RunError as error:
        return None, f"The results of the scan before are lost, so every file is new here: {error}"


def _finish(
    cache: ScanCache,
    settings: ScanSettings,
    listing: Listing,
    due: Sequence[Due],
    scan_id: str,
    summary: Mapping[str, Any],
) -> None:
    unreachable = {one.drop for one in listing.unreachable}
    with cache.change():
        cache.finish(scan_id, now(), json.dumps(summary))
        cache.saw_contents((one.content for one in due), scan_id)
        for name in settings.drops:
            if name not in unreachable:
                cache.forget_files(name, scan_id)


def _point_to(out: Path, scan_id: str) -> None:
    """Makes `latest` lead to a scan's results, in one step."""
    target = Path(HISTORY) / scan_id
    link = out / LATEST
    with suppress(OSError):
        if link.readlink() == target:
            return
    # Always of this name: what a scan that was cut off here left is replaced.
    new = out / f".{LATEST}.new"
    try:
        new.unlink(missing_ok=True)
        new.symlink_to(target, target_is_directory=True)
        new.replace(link)
    except OSError as error:
        with suppress(OSError):
            new.unlink(missing_ok=True)
        raise DropError(
            f"{link} can't be made to lead to the scan's results ({error.strerror}); they are "
            f"whole in {out / target}. Move away what stands at {link}, and scan again."
        ) from error


def _forget_old(cache: ScanCache, out: Path, keep_days: int) -> None:
    """Forgets scans older than that, and contents that none of the others saw."""
    scans = [one for one in cache.scans() if one.finished is not None]
    oldest = datetime.now(UTC) - timedelta(days=keep_days)
    old = [one for one in scans[:-1] if (when := began(one)) is not None and when < oldest]
    gone = {one.scan_id for one in old}
    with cache.change():
        for one in old:
            cache.forget_scan(one.scan_id)
        cache.forget_contents([one.scan_id for one in scans if one.scan_id not in gone])
    # Then their folders: killed in between, the next scan takes them in again, as old as they are.
    for one in old:
        erase(out / HISTORY / one.scan_id)
