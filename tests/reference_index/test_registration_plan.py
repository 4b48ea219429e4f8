"""Comparing a manifest with an index: each file of both is in exactly one part of the plan."""

from __future__ import annotations

from pathlib import Path

from hypothesis import given
from hypothesis import strategies as st

from reference_index.interface import Work, WorkFile
from reference_index.registration_plan import ListedFile, plan_registration
from reference_index.works import ManifestRow


def work(work_id: str, title: str = "T", **notes: str) -> Work:
    return Work(work_id, title, "H", "protected", notes)


def listed(line: int, work: Work, path: str, content: str) -> ListedFile:
    return ListedFile(ManifestRow(line, work, Path(path), path), content * 64, 1)


def stored(work_id: str, path: str, content: str) -> WorkFile:
    return WorkFile(work_id, path, content * 64, "image", "PNG", 1)


def test_each_difference_has_its_place():
    manifest = [
        listed(2, work("same"), "same.png", "a"),
        listed(3, work("new"), "new.png", "b"),
        listed(4, work("other", title="New title", year="1921"), "changed.png", "c"),
        listed(5, work("other", title="New title", year="1921"), "more.png", "d"),
    ]
    files = [
        stored("same", "same.png", "a"),
        stored("same", "same.png", "0"),
        stored("other", "changed.png", "1"),
        stored("other", "dropped.png", "2"),
        stored("gone", "gone.png", "3"),
    ]
    plan = plan_registration(manifest, [work("same"), work("other"), work("gone")], files)
    assert [one.work_id for one in plan.new_works] == ["new"]
    assert [change.fields for change in plan.changed_works] == [("title", "year")]
    assert [file.row.path for file in plan.new_files] == ["new.png", "more.png"]
    assert [change.listed.row.path for change in plan.changed_files] == ["changed.png"]
    assert plan.changed_files[0].stored == (files[2],)
    assert [file.row.path for file in plan.unchanged_files] == ["same.png"]
    assert [one.work_id for one in plan.missing_works] == ["gone"]
    assert plan.missing_files == (files[3], files[4])
    assert plan.outdated_files == (files[1], files[2])
    assert [file.row.line for file in plan.to_fingerprint] == [3, 4, 5]
    assert not plan.adds_nothing


def test_the_same_manifest_again_adds_nothing():
    manifest = [listed(2, work("a"), "a.png", "a"), listed(3, work("a"), "b.png", "b")]
    files = [stored("a", "a.png", "a"), stored("a", "b.png", "b")]
    plan = plan_registration(manifest, [work("a")], files)
    assert plan.adds_nothing
    assert (plan.missing_works, plan.missing_files, plan.outdated_files) == ((), (), ())


def test_the_same_bytes_under_two_works_in_the_manifest_or_in_the_index():
    manifest = [
        listed(2, work("a"), "a.png", "a"),
        listed(3, work("b"), "copy.png", "a"),
        listed(4, work("c"), "c.png", "c"),
        listed(5, work("d"), "one.png", "d"),
        listed(6, work("d"), "two.png", "d"),
    ]
    plan = plan_registration(manifest, [work("old")], [stored("old", "old.png", "c")])
    assert [shared.files for shared in plan.shared] == [
        (("a", "a.png"), ("b", "copy.png")),
        (("c", "c.png"), ("old", "old.png")),
    ]
    assert "'copy.png' of work 'b'" in plan.shared[0].sentence()


places = st.dictionaries(
    st.tuples(st.sampled_from("vw"), st.sampled_from("xyz")), st.sampled_from("01"), max_size=6
)


@given(places, places)
def test_every_file_is_in_exactly_one_part(manifest, index):
    rows = [
        listed(line, work(work_id), path, content)
        for line, ((work_id, path), content) in enumerate(manifest.items(), 2)
    ]
    files = [stored(work_id, path, content) for (work_id, path), content in index.items()]
    plan = plan_registration(rows, [work(file.work_id) for file in files], files)
    assert list(plan.listed) == rows
    kept = {file.identity for file in plan.unchanged_files}
    beyond = {*plan.missing_files, *plan.outdated_files}
    for file in files:
        assert (file in beyond) != ((file.work_id, file.path, file.file_id) in kept)
