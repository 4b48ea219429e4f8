"""What registering a manifest would change in an index: a comparison that does nothing.

`clearance index add` and its `--check` use it, and so can any command that makes an index equal to
a manifest: `missing_works` and `missing_files` are what the index has beyond it.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from reference_index.interface import Work, WorkFile
from reference_index.works import ManifestRow


@dataclass(frozen=True, slots=True)
class ListedFile:
    """A file that a manifest lists and that was read.

    Attributes:
        row: of the manifest.
        file_id: SHA-256 (hex) of its bytes.
        size: bytes.
    """

    row: ManifestRow
    file_id: str
    size: int

    @property
    def identity(self) -> tuple[str, str, str]:
        """Work id, path and SHA-256: what identifies a file in an index."""
        return (self.row.work.work_id, self.row.path, self.file_id)


@dataclass(frozen=True, slots=True)
class WorkChange:
    """A work of the index to which the manifest gives other details.

    Attributes:
        before: as the index has it.
        after: as the manifest has it; the same `work_id`.
    """

    before: Work
    after: Work

    @property
    def fields(self) -> tuple[str, ...]:
        """What differs, such as `title`; a note by the name of its column."""
        names = [
            name
            for name in ("title", "rightsholder", "rights")
            if getattr(self.before, name) != getattr(self.after, name)
        ]
        before, after = self.before.notes, self.after.notes
        notes = sorted(name for name in {*before, *after} if before.get(name) != after.get(name))
        return (*names, *notes)


@dataclass(frozen=True, slots=True)
class FileChange:
    """A file that the index holds under the same work and path with other bytes.

    Attributes:
        listed: as it is now.
        stored: as the index has it; several if it was changed and added more than once.
    """

    listed: ListedFile
    stored: tuple[WorkFile, ...]


@dataclass(frozen=True, slots=True)
class SharedBytes:
    """Files of the same bytes under several works: in the manifest, or there and in the index.

    Attributes:
        file_id: SHA-256 (hex) of the bytes.
        files: work id and path of each, sorted; at least two work ids.
    """

    file_id: str
    files: tuple[tuple[str, str], ...]

    def sentence(self) -> str:
        """The warning for people."""
        named = ", ".join(f"{path!r} of work {work_id!r}" for work_id, path in self.files[:4])
        more = f" and {len(self.files) - 4} more" if len(self.files) > 4 else ""
        return (
            f"the same bytes are registered under several works: {named}{more}; a copy of them "
            "will name each of these works."
        )


@dataclass(frozen=True, slots=True)
class RegistrationPlan:
    """The difference between a manifest and an index.

    Each file of the manifest is in exactly one of `new_files`, `changed_files` and
    `unchanged_files`; each file of the index is listed, in `missing_files` or in `outdated_files`.

    Attributes:
        new_works: works that the index does not have, in the order of the manifest.
        changed_works: works to which the manifest gives another title, rightsholder, rights or
            note.
        new_files: files that the index has under no work and path of theirs.
        changed_files: files whose bytes are not those that the index has under their work and path.
        unchanged_files: files that the index has: the same work, path and bytes. It then also has
            their fingerprints by all its stages, so they need not be decoded again.
        missing_works: works of the index that the manifest does not list.
        missing_files: files of the index, of any work, whose work and path the manifest does not
            list.
        outdated_files: files of the index whose work and path the manifest lists with other bytes;
            adding keeps them beside the new ones.
        shared: the same bytes under several works.
    """

    new_works: tuple[Work, ...] = ()
    changed_works: tuple[WorkChange, ...] = ()
    new_files: tuple[ListedFile, ...] = ()
    changed_files: tuple[FileChange, ...] = ()
    unchanged_files: tuple[ListedFile, ...] = ()
    missing_works: tuple[Work, ...] = ()
    missing_files: tuple[WorkFile, ...] = ()
    outdated_files: tuple[WorkFile, ...] = ()
    shared: tuple[SharedBytes, ...] = ()

    @property
    def to_fingerprint(self) -> tuple[ListedFile, ...]:
        """The files that have to be decoded and fingerprinted, in the order of the manifest."""
        files = (*self.new_files, *(change.listed for change in self.changed_files))
        return tuple(sorted(files, key=lambda file: file.row.line))

    @property
    def listed(self) -> tuple[ListedFile, ...]:
        """Every file of the manifest, in its order."""
        files = (*self.to_fingerprint, *self.unchanged_files)
        return tuple(sorted(files, key=lambda file: file.row.line))

    @property
    def adds_nothing(self) -> bool:
        """Whether the index has all that the manifest lists, with the same details."""
        return not (self.new_works or self.changed_works or self.new_files or self.changed_files)


def plan_registration(
    listed: Sequence[ListedFile], works: Iterable[Work], files: Iterable[WorkFile]
) -> RegistrationPlan:
    """Compares a manifest with an index.

    Rows that can't be used are not in `listed`, so a work or file that only such a row names counts
    as missing: make nothing of `missing_works` and `missing_files` while rows are bad.

    Args:
        listed: the files of the manifest's good rows.
        works, files: of the index (`ReferenceIndex.works`, `ReferenceIndex.files`).
    """
    stored_works = {work.work_id: work for work in works}
    stored: dict[tuple[str, str], list[WorkFile]] = {}
    for known in files:
        stored.setdefault((known.work_id, known.path), []).append(known)
    manifest_works = {file.row.work.work_id: file.row.work for file in listed}
    new, changed, unchanged = [], [], []
    listed_bytes: dict[tuple[str, str], set[str]] = {}
    for file in listed:
        place = (file.row.work.work_id, file.row.path)
        listed_bytes.setdefault(place, set()).add(file.file_id)
        earlier = stored.get(place, [])
        if any(one.file_id == file.file_id for one in earlier):
            unchanged.append(file)
        elif earlier:
            changed.append(FileChange(file, tuple(earlier)))
        else:
            new.append(file)
    return RegistrationPlan(
        new_works=tuple(
            work for work_id, work in manifest_works.items() if work_id not in stored_works
        ),
        changed_works=tuple(
            WorkChange(stored_works[work_id], work)
            for work_id, work in manifest_works.items()
            if work_id in stored_works and stored_works[work_id] != work
        ),
        new_files=tuple(new),
        changed_files=tuple(changed),
        unchanged_files=tuple(unchanged),
        missing_works=tuple(
            work for work_id, work in stored_works.items() if work_id not in manifest_works
        ),
        missing_files=tuple(
            known for place, kept in stored.items() if place not in listed_bytes for known in kept
        ),
        outdated_files=tuple(
            known
            for place, ids in listed_bytes.items()
            for known in stored.get(place, ())
            if known.file_id not in ids
        ),
        shared=_shared(listed, stored),
    )


def _shared(
    listed: Sequence[ListedFile], stored: dict[tuple[str, str], list[WorkFile]]
) -> tuple[SharedBytes, ...]:
    """The bytes of `listed` that several works have, in the order of the manifest."""
    by_bytes: dict[str, set[tuple[str, str]]] = {file.file_id: set() for file in listed}
    for file in listed:
        by_bytes[file.file_id].add((file.row.work.work_id, file.row.path))
    for kept in stored.values():
        for one in kept:
            if one.file_id in by_bytes:
                by_bytes[one.file_id].add((one.work_id, one.path))
    return tuple(
        SharedBytes(file_id, tuple(sorted(places)))
        for file_id, places in by_bytes.items()
        if len({work_id for work_id, _ in places}) > 1
    )
