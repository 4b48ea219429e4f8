"""One nightly scan from start to end: the one place that knows the order of its steps."""

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
from pipeline.core.records import Asset
from pipeline.core.wording.text import count
from pipeline.drops.drop import OpenDrop, open_drop
from pipeline.drops.places import absolute
from pipeline.results.files import StoredRun
from pipeline.runtime.progress import Progress, silent
from pipeline.scan.events import Event, EventSink, discard_event
from pipeline.scan.history import (
    delete_results,
    earlier_and_later,
    find_unlisted_scans,
    finish_deletions,
    scan_results,
    start_time,
    unreadable_notes,
)
from pipeline.scan.incremental import UNCHANGED, Action, IncrementalScreener, Pending
from pipeline.scan.listing import Listing, list_drops
from pipeline.scan.memory.invalidation import IndexChanges, cache_keys_of, content_of
from pipeline.scan.memory.state import KnownScan, ScanCache
from pipeline.scan.output.notes import record_notes, unreachable_notes
from pipeline.scan.output.write import ScanContext, write_outputs
from pipeline.scan.settings import ScanSettings
from pipeline.screening.recorded import Recorded, record_if_sound
from pipeline.screening.run_files import Run, run_info
from pipeline.screening.screen import check_places, open_verified_index
from pipeline.screening.stage_runner import open_runners, opening_keys
from reference_index.locks import LockError, LockHeldError, file_lock

LOCK_TEXT = "clearance scan"

OnMessage = Callable[[str], None]
"""Called with sentences for the person who watches: what the scan is about to do."""


def ignore_message(_sentence: str) -> None:
    """Message callback that does nothing."""


@dataclass(frozen=True)
class ScanResult:
    """A scan that completed.

    Attributes:
        folder: where its results are; `latest` in the scan directory links there too.
        summary: the contents of delta.json.
        notes: further sentences for a reader.
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
    """Scans every drop, screens what changed, and writes tables and changes.

    An interrupted scan is resumed by the next one. Results of earlier scans stay complete until the
    new ones are.

    Raises:
        ScanError: if another scan holds the directory, or its cache can't be used.
        DropError: if results can't be written.
        ConfigError, ReferenceIndexError: as in `pipeline.screening.screen.screen`.
    """
    out, index_path = settings.place(settings.out), settings.place(settings.index)
    drops = {name: settings.drop_place(name) for name in settings.drops}
    name_by_place: dict[str, str] = {}
    for name, place in drops.items():
        check_places(place, index_path, out)
        other = name_by_place.setdefault(absolute(place), name)
        if other != name:
            raise ConfigError(f"The drops {other} and {name} are the same folder; leave one out.")
    config = settings.config()
    with scan_directory(out) as cache, ExitStack() as stack:
        started, scan_id = now(), new_run_id()
        on_event(Event.STARTED, {"scan_id": scan_id, "drops": len(drops)})
        progress("Opening the index", 0, None)
        index = open_verified_index(index_path, doing="scanned against")
        runners = open_runners(index, config.stage_settings, cache.opened_before())
        cache.put_opened(opening_keys(runners))
        cache_keys = cache_keys_of(runners, config)
        cache.begin(KnownScan(scan_id, started, cache_keys.rows, index.version, index.digest))
        facts = {"index_version": index.version, "works": len(index.works)}
        on_event(Event.INDEX_OPENED, {**facts, "config_fingerprint": config.fingerprint()})
        sources = {
            name: stack.enter_context(
                open_drop(place, config.limits.max_file_bytes, config.object_storage)
            )
            for name, place in drops.items()
        }
        listing = list_drops(
            settings, sources, cache, scan_id, time.time(), config.limits.max_file_bytes, progress
        )
        _report_drops(listing, drops, on_event)
        screener = IncrementalScreener(cache, index, runners, config, cache_keys, scan_id)
        pending = _defer_objects(listing, _plan(listing, screener))
        actions = {
            action.name.lower(): sum(one.action is action for one in pending) for action in Action
        }
        on_event(Event.PLAN, {**actions, "fetch": listing.fetch_count()})
        for sentence in plan_sentences(listing, pending):
            on_message(sentence)
        pending += _fetch(listing, sources, screener, progress)
        screener.run(pending, progress)
        screener.run(_from_other_files(listing, screener, pending), progress)
        progress("Writing the answer", 0, None)
        previous, note = _previous_results(cache, out)
        unreadable = unreadable_notes(out / HISTORY, {one.scan_id for one in cache.scans()})
        recorded = record_if_sound(
            settings.record_place(),
            previous.run if previous is not None else None,
            index.aliases,
            day=started[:10],
        )
        _report_record(recorded, on_event)
        context = ScanContext(
            run=Run(
                run_info(scan_id, ", ".join(drops), started, index, config),
                index,
                config,
                runners,
                recorded,
            ),
            cache=cache,
            listing=listing,
            screener=screener,
            previous=previous,
            index_change=(
                IndexChanges(index).since(
                    previous.run["index"]["version"], previous.run["index"]["digest"]
                )
                if previous is not None
                else None
            ),
            drops=drops,
            notes=(
                *([note] if note else []),
                *unreadable,
                *record_notes(recorded, settings.record_is_named),
            ),
        )
        folder = out / HISTORY / scan_id
        summary = write_outputs(context, folder)
        on_event(Event.WRITTEN, {"files": summary["files"]})
        _finish(cache, settings, listing, pending, scan_id, summary)
        _link_latest(out, scan_id)
        _delete_old_scans(cache, out, settings.keep_days)
    notes = (*unreachable_notes(listing), *context.notes)
    return ScanResult(folder, summary, notes, listing.arriving())


@contextmanager
def scan_directory(out: Path) -> Iterator[ScanCache]:
    """Locks a scan directory against other scans, repairs what an interrupted scan left, and opens
    its cache.

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
        with file_lock(out / LOCK, LOCK_TEXT):
            cache = ScanCache(out / STATE)
            try:
                _recover(cache, out)
                yield cache
            finally:
                cache.close()
    except LockHeldError as error:
        raise ScanBusyError(
            f"Another scan is running in {out} ({error.holder}); wait for it to end. "
            "A scan that was killed holds no lock."
        ) from None
    except LockError as error:
        raise ScanError(f"The scan directory {out} {error}.") from None


def _recover(cache: ScanCache, out: Path) -> None:
    """Removes what an interrupted scan left, and lists scans that a lost cache did not."""
    finish_deletions(out / HISTORY)
    scans = cache.scans()
    interrupted = [one.scan_id for one in scans if one.finished is None]
    unlisted = find_unlisted_scans(out / HISTORY, {one.scan_id for one in scans})
    # A scan restored from a backup must not count as the last one.
    earlier, later = earlier_and_later(unlisted, scans)
    # Folders first, as they may hold complete results: a scan leaves the list only once its folder
    # can't be mistaken for that of a finished one.
    for scan_id in interrupted:
        delete_results(out / HISTORY / scan_id)
    with cache.transaction():
        for scan_id in interrupted:
            if not (out / HISTORY / scan_id).exists():
                cache.forget_scan(scan_id)
        for one in reversed(earlier):
            cache.add_scan(one, earliest=True)
        for one in later:
            cache.add_scan(one)
        for one in unlisted:
            cache.finish(one.scan_id, one.finished or one.started, "{}")
    finished = [one for one in cache.scans() if one.finished is not None]
    if finished:
        _link_latest(out, finished[-1].scan_id)


def _plan(listing: Listing, screener: IncrementalScreener) -> list[Pending]:
    """What is to be done for each content, once. Files of drops that could not be read are not
    loaded.
    """
    by_content: dict[str, Asset] = {}
    for asset in listing.assets:
        content = content_of(asset)
        if content is None:
            continue
        first = by_content.get(content)
        if first is None or first.asset_path in listing.from_cache:
            by_content[content] = asset
    pending = [screener.plan(content, asset) for content, asset in by_content.items()]
    return [
        one
        for one in pending
        if one.action is not Action.LOAD or one.asset.asset_path not in listing.from_cache
    ]


def _from_other_files(
    listing: Listing, screener: IncrementalScreener, pending: Sequence[Pending]
) -> list[Pending]:
    """Contents whose file disappeared or changed before it was loaded, to be loaded from another
    file with the same content: deleting one copy must not keep the others from being screened.
    """
    unread = {
        one.content: one
        for one in pending
        if (transient := screener.transient.get(one.content)) is not None
        and transient[0].fault is not None
        and transient[0].fault.reason is Reason.UNREADABLE
    }
    retries: dict[str, Pending] = {}
    for asset in listing.assets if unread else ():
        one = unread.get(content_of(asset) or "")
        if one is None or asset.asset_path == one.asset.asset_path:
            continue
        if asset.asset_path in listing.from_cache or not Path(asset.file).exists():
            continue
        retries.setdefault(one.content, replace(one, asset=asset))
    return list(retries.values())


def _defer_objects(listing: Listing, pending: list[Pending]) -> list[Pending]:
    """What can be done without fetching an object; notes the paths of objects to be fetched."""
    local = []
    for one in pending:
        name, _, path = one.asset.asset_path.partition("/")
        if one.action is Action.LOAD and path in listing.objects.get(name, {}):
            listing.to_fetch.setdefault(name, []).append(path)
        else:
            local.append(one)
    return local


def _fetch(
    listing: Listing,
    sources: Mapping[str, OpenDrop],
    screener: IncrementalScreener,
    progress: Progress,
) -> list[Pending]:
    """Fetches and screens objects and adds them to the assets; returns what is still pending."""
    assets = {asset.asset_path: asset for asset in listing.assets}
    still_pending: list[Pending] = []
    total, done = listing.fetch_count(), 0
    for name, paths in listing.to_fetch.items():
        entries = listing.objects[name]
        for asset, pending in sources[name].rows(
            [entries[path] for path in sorted(set(paths))],
            partial(screener.screen_fetched, name, entries),
        ):
            assets[asset.asset_path] = asset
            still_pending += [pending] if pending is not None else []
            done += 1
            listing.read += 1
            progress("Fetching objects", done, total)
    listing.assets = sorted(assets.values(), key=lambda asset: asset.asset_path)
    return still_pending


def _report_drops(listing: Listing, drops: Iterable[str], on_event: EventSink) -> None:
    files = Counter(path.partition("/")[0] for path in listing.paths())
    unreachable = {one.drop for one in listing.unreachable}
    for name in drops:
        event = Event.DROP_UNREACHABLE if name in unreachable else Event.DROP_LISTED
        on_event(event, {"drop": name, "files": files[name]})


def _report_record(recorded: Recorded, on_event: EventSink) -> None:
    facts = {"state": recorded.use.value, "events": recorded.events}
    on_event(
        Event.RECORD,
        {**facts, "false_matches": len(recorded.suppressions), "rules": len(recorded.rules)},
    )


def plan_sentences(listing: Listing, pending: Sequence[Pending]) -> list[str]:
    """What a scan is about to do, in sentences."""
    read = count(listing.read, "was", "were")
    plan = [f"{count(len(listing.paths()), 'file')} in the drops; {read} read."]
    arriving = len(listing.arriving())
    if arriving:
        plan.append(f"{count(arriving, 'is', 'are')} still arriving and left for the next scan.")
    fetched = listing.fetch_count()
    if fetched:
        plan.append(f"{fetched:,} to fetch from object storage.")
    by_action: dict[Action, Counter[str]] = {}
    for one in pending:
        by_action.setdefault(one.action, Counter())[one.reason] += 1
    for action, words in _ACTIONS.items():
        for reason, number in by_action.get(action, Counter()).most_common():
            because = "" if reason == UNCHANGED else f": {reason}"
            plan.append(f"{number:,} {words}{because}.")
    return plan


_ACTIONS = {
    Action.KEEP: "to keep with the previous results",
    Action.COMPARE: "to compare with the works that changed",
    Action.SEARCH: "to search for again, with cached fingerprints",
    Action.LOAD: "to load and screen",
}


def _previous_results(cache: ScanCache, out: Path) -> tuple[StoredRun | None, str]:
    """The results of the last complete scan, or None and a sentence if they can't be read."""
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
    pending: Sequence[Pending],
    scan_id: str,
    summary: Mapping[str, Any],
) -> None:
    unreachable = {one.drop for one in listing.unreachable}
    with cache.transaction():
        cache.finish(scan_id, now(), json.dumps(summary))
        cache.mark_present((one.content for one in pending), scan_id)
        for name in settings.drops:
            if name not in unreachable:
                cache.forget_files(name, scan_id)


def _link_latest(out: Path, scan_id: str) -> None:
    """Makes `latest` link to the results of a scan, in one step."""
    target = Path(HISTORY) / scan_id
    link = out / LATEST
    with suppress(OSError):
        if link.readlink() == target:
            return
    # Always of this name, so that what an interrupted scan left is replaced.
    new = out / f".{LATEST}.new"
    try:
        new.unlink(missing_ok=True)
        new.symlink_to(target, target_is_directory=True)
        new.replace(link)
    except OSError as error:
        with suppress(OSError):
            new.unlink(missing_ok=True)
        raise DropError(
            f"{link} can't be linked to the scan's results ({error.strerror}); they are "
            f"complete in {out / target}. Move away what is at {link}, and scan again."
        ) from error


def _delete_old_scans(cache: ScanCache, out: Path, keep_days: int) -> None:
    """Deletes scans older than `keep_days`, and contents that only they had."""
    scans = [one for one in cache.scans() if one.finished is not None]
    oldest = datetime.now(UTC) - timedelta(days=keep_days)
    old = [one for one in scans[:-1] if (time := start_time(one)) is not None and time < oldest]
    old_ids = {one.scan_id for one in old}
    with cache.transaction():
        for one in old:
            cache.forget_scan(one.scan_id)
        cache.forget_contents([one.scan_id for one in scans if one.scan_id not in old_ids])
    # Then their folders: after a kill in between, the next scan lists them with their old dates.
    for one in old:
        delete_results(out / HISTORY / one.scan_id)
