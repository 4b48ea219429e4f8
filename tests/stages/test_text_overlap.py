import random

import numpy as np
import pytest
from datasketch import MinHash
from hypothesis import given, settings
from hypothesis import strategies as st
from stage_samples import entries, prose, script

from pipeline.records import Abstention, Span
from pipeline.stages.text_overlap import (
    PERMUTATIONS,
    SCHEME,
    SEED,
    TextOverlap,
    TextOverlapSettings,
    _signatures,
    _windows,
)
from pipeline.words import shingles_of, words_of


@pytest.fixture(scope="module")
def stage():
    return TextOverlap.create()


@pytest.fixture(scope="module")
def works(stage):
    """Twelve long texts, one of 40 words and one of 10."""
    texts = [prose(seed, 2000) for seed in range(12)] + [prose(40, 40), prose(10, 10)]
    return texts, entries(stage, stage.fingerprint([script(text) for text in texts]))


def search(stage, stored, text, **options):
    (found,) = stage.search(
        stage.fingerprint([script(text)]), stored, TextOverlapSettings(**options)
    )
    return found


def planted(source, start, words, seed=99, host_words=3000):
    """A text of another source with `words` words of `source` in it, and where they stand."""
    passage = " ".join(source.split()[start : start + words])
    host = prose(seed, host_words).split()
    at = host_words // 3
    before = " ".join(host[:at])
    return f"{before} {passage} {' '.join(host[at:])}", len(before) + 1, passage


@pytest.mark.parametrize("words", [40, 60, 100, 400])
def test_a_lifted_passage_is_found_with_its_exact_characters(stage, works, words):
    texts, stored = works
    text, start, passage = planted(texts[3], 500, words)
    (found,) = search(stage, stored, text)
    assert found.work_id == "work-03"
    (one,) = found.passages
    assert text[one.asset_start : one.asset_end] == passage.rstrip(".,")
    assert one.asset_start == start
    assert texts[3][one.work_start : one.work_end] == passage.rstrip(".,")
    assert (one.words, one.identity) == (words, 1.0)


@pytest.mark.parametrize(
    "disguise",
    [
        str.upper,
        lambda text: text.replace(" ", "\r\n"),
        lambda text: text.replace(",", " —").replace(".", "…"),
        lambda text: text.replace(" ", "  \t"),
    ],
)
def test_case_lines_and_punctuation_hide_nothing(stage, works, disguise):
    texts, stored = works
    text, start, passage = planted(texts[5], 100, 80)
    shown = text[:start] + disguise(passage) + text[start + len(passage) :]
    (found,) = search(stage, stored, shown)
    assert found.work_id == "work-05"
    assert found.measures["text_words"] == 80


def test_names_swapped_are_still_one_passage(stage, works):
    texts, stored = works
    text, start, passage = planted(texts[5], 100, 200)
    swapped = " ".join("Jonah" if n % 15 == 7 else w for n, w in enumerate(passage.split()))
    (found,) = search(stage, stored, text[:start] + swapped + text[start + len(passage) :])
    assert len(found.passages) == 1
    assert found.passages[0].words > 150


def test_unrelated_texts_have_no_evidence(stage, works):
    _, stored = works
    for seed in range(200, 206):
        assert search(stage, stored, prose(seed, 3000)) == []


def test_a_short_work_inside_a_long_script_is_found(stage, works):
    texts, stored = works
    for number in (12, 13):
        host = prose(77, 4000).split()
        found = search(stage, stored, " ".join([*host[:900], texts[number], *host[900:]]))
        assert [one.work_id for one in found] == [f"work-{number}"]
        assert found[0].measures["text_work_share"] == 1.0


@pytest.mark.parametrize(("words", "found"), [(29, 0), (30, 1), (31, 1)])
def test_least_words_of_a_passage_at_below_and_above(stage, works, words, found):
    texts, stored = works
    text, _, _ = planted(texts[3], 500, words, host_words=150)
    assert len(search(stage, stored, text, min_words=30, min_jaccard=0.0)) == found


@pytest.mark.parametrize(("words", "judged"), [(7, False), (8, True), (9, True)])
def test_least_words_of_a_text_at_below_and_above(stage, words, judged):
    text = " ".join(f"word{n}" for n in range(words))
    (answer,) = stage.fingerprint([script(text)])
    assert isinstance(answer, Abstention) is not judged
    assert answer.facts["text_length"] == words


def test_several_passages_are_added_up(stage, works):
    texts, stored = works
    words = texts[2].split()
    host = prose(50, 600).split()
    text = " ".join(host[:200] + words[900:960] + host[200:400] + words[100:180] + host[400:])
    (found,) = search(stage, stored, text)
    assert [passage.words for passage in found.passages] == [80, 60]
    assert found.measures["text_words"] == 140
    assert found.measures["text_longest"] == 80
    assert "2 passages with 140 words in all" in stage.sentence(found)


def test_what_is_not_content_is_not_compared(stage, works):
    texts, stored = works
    passage = " ".join(texts[3].split()[:100])
    host = prose(60, 300)
    text = f"{passage}\n{host}"
    hidden = type(script(""))(text, (Span(len(passage), len(text)),), "srt")
    (found,) = stage.search(stage.fingerprint([hidden]), stored, TextOverlapSettings())
    assert found == []


def test_signatures_are_datasketchs_own():
    words = words_of(script(prose(1, 260)))
    shingles = shingles_of(words.hashes, 3)
    ours = _signatures(shingles)
    for row, (start, end) in zip(ours, _windows(len(shingles)), strict=True):
        plain = MinHash(num_perm=PERMUTATIONS, seed=SEED, hashfunc=int, scheme=SCHEME)
        for value in shingles[start:end]:
            plain.update(int(value) >> 32)
        assert (row == plain.hashvalues).all()


def test_estimates_are_near_the_exact_jaccard():
    rng = random.Random(3)
    errors = []
    for _ in range(40):
        shared = [rng.getrandbits(64) for _ in range(rng.randint(5, 90))]
        a, b = (
            {*shared, *(rng.getrandbits(64) for _ in range(98 - len(shared)))} for _ in range(2)
        )
        exact = len(a & b) / len(a | b)
        one, other = (_signatures(np.array(sorted(s), np.uint64))[0] for s in (a, b))
        errors.append(float((one == other).mean()) - exact)
    # Standard error of one estimate is at most 0.5 / sqrt(128) = 0.044.
    assert max(abs(error) for error in errors) < 0.18
    assert abs(sum(errors) / len(errors)) < 0.03


@given(st.integers(1, 1000))
def test_windows_cover_every_shingle(count):
    windows = list(_windows(count))
    covered = np.zeros(count, bool)
    for start, end in windows:
        assert 0 <= start < end <= count
        assert end - start == min(count, 98)
        covered[start:end] = True
    assert covered.all()
    assert windows == sorted(set(windows))


@settings(max_examples=15, deadline=None)
@given(st.integers(0, 11), st.integers(0, 1800), st.integers(60, 150))
def test_sixty_words_and_more_are_always_found(stage, works, number, start, words):
    texts, stored = works
    text, _, _ = planted(texts[number], start, words, seed=start, host_words=500)
    assert f"work-{number:02d}" in [one.work_id for one in search(stage, stored, text)]


def test_a_text_that_repeats_itself_costs_no_more_than_its_length(stage):
    """Windows of one sentence over and over are a handful; each is compared once."""
    sentence = "The ferry left at six and nobody on the quay waved to it as it went out. "
    prints = stage.fingerprint([script(sentence * 3_000), script(sentence * 3_001)])
    stored = entries(stage, [prints[0]])
    [[found]] = stage.search([prints[1]], stored, type(stage).Settings())
    assert found.work_id == "work-00"
    built = stored.built("text_overlap", lambda: None)
    assert len(built._windows) < 20
