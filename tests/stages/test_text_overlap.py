import random

import numpy as np
import pytest
from datasketch import MinHash
from hypothesis import given, settings
from hypothesis import strategies as st
from stage_samples import entries, prose, script

from pipeline.core.records import Abstention
from pipeline.load.loaded import LoadedScript, Span
from pipeline.stages.text.text_rows import PERMUTATIONS, SCHEME, SEED, signatures_of, windows
from pipeline.stages.text.words import shingles_of, words_of
from pipeline.stages.text_overlap import TextOverlap, TextOverlapSettings


@pytest.fixture(scope="module")
def stage():
    return TextOverlap.create()


@pytest.fixture(scope="module")
def works(stage):
    """Twelve long texts, one of 40 words and one of 10."""
    texts = [prose(seed, 2000) for seed in range(12)] + [prose(440, 40), prose(410, 10)]
    return texts, entries(stage, stage.fingerprint([script(text) for text in texts]))


def search(stage, stored, text, **options):
    (evidence,) = stage.search(
        stage.fingerprint([script(text)]), stored, TextOverlapSettings(**options)
    )
    return evidence


def planted(source, start, words, seed=99, host_words=3000):
    """A text of another source with `words` words of `source` in it, and where it starts."""
    passage = " ".join(source.split()[start : start + words])
    host = prose(seed, host_words).split()
    at = host_words // 3
    before = " ".join(host[:at])
    return f"{before} {passage} {' '.join(host[at:])}", len(before) + 1, passage


@pytest.mark.parametrize("words", [40, 60, 100, 400])
def test_a_lifted_passage_is_found_with_its_exact_characters(stage, works, words):
    texts, stored = works
    text, start, passage = planted(texts[3], 500, words)
    (evidence,) = search(stage, stored, text)
    assert evidence.work_id == "work-03"
    (shared,) = evidence.passages
    assert text[shared.asset_start : shared.asset_end] == passage.rstrip(".,")
    assert shared.asset_start == start
    assert texts[3][shared.work_start : shared.work_end] == passage.rstrip(".,")
    assert (shared.words, shared.identity) == (words, 1.0)


@pytest.mark.parametrize(
    "layout",
    [
        str.upper,
        lambda text: text.replace(" ", "\r\n"),
        lambda text: text.replace(",", " —").replace(".", "…"),
        lambda text: text.replace(" ", "  \t"),
    ],
)
def test_case_lines_and_punctuation_hide_nothing(stage, works, layout):
    texts, stored = works
    text, start, passage = planted(texts[5], 100, 80)
    edited_text = text[:start] + layout(passage) + text[start + len(passage) :]
    (evidence,) = search(stage, stored, edited_text)
    assert evidence.work_id == "work-05"
    assert evidence.measures["text_words"] == 80


def test_names_swapped_are_still_one_passage(stage, works):
    texts, stored = works
    text, start, passage = planted(texts[5], 100, 200)
    swapped = " ".join("Jonah" if n % 15 == 7 else w for n, w in enumerate(passage.split()))
    (evidence,) = search(stage, stored, text[:start] + swapped + text[start + len(passage) :])
    assert len(evidence.passages) == 1
    assert evidence.passages[0].words > 150


def test_unrelated_texts_have_no_evidence(stage, works):
    _, stored = works
    for seed in range(200, 206):
        assert search(stage, stored, prose(seed, 3000)) == []


def test_a_short_work_inside_a_long_script_is_found(stage, works):
    texts, stored = works
    for number in (12, 13):
        host = prose(77, 4000).split()
        evidence = search(stage, stored, " ".join([*host[:900], texts[number], *host[900:]]))
        assert [one.work_id for one in evidence] == [f"work-{number}"]
        assert evidence[0].measures["text_work_share"] == 1.0


@pytest.mark.parametrize(("words", "matches"), [(29, 0), (30, 1), (31, 1)])
def test_least_words_of_a_passage_at_below_and_above(stage, works, words, matches):
    texts, stored = works
    text, _, _ = planted(texts[3], 500, words, host_words=150)
    assert len(search(stage, stored, text, min_words=30, min_jaccard=0.0)) == matches


@pytest.mark.parametrize(("words", "judged"), [(7, False), (8, True), (9, True)])
def test_least_words_of_a_text_at_below_and_above(stage, words, judged):
    text = " ".join(f"word{n}" for n in range(words))
    (result,) = stage.fingerprint([script(text)])
    assert isinstance(result, Abstention) is not judged
    assert result.facts["text_length"] == words


def test_several_passages_are_added_up(stage, works):
    texts, stored = works
    words = texts[2].split()
    host = prose(50, 600).split()
    text = " ".join(host[:200] + words[900:960] + host[200:400] + words[100:180] + host[400:])
    (evidence,) = search(stage, stored, text)
    assert [passage.words for passage in evidence.passages] == [80, 60]
    assert evidence.measures["text_words"] == 140
    assert evidence.measures["text_longest"] == 80
    assert "2 passages with 140 words in all" in stage.sentence(evidence)


def test_what_is_not_content_is_not_compared(stage, works):
    texts, stored = works
    passage = " ".join(texts[3].split()[:100])
    host = prose(60, 300)
    text = f"{passage}\n{host}"
    hidden = type(script(""))(text, (Span(len(passage), len(text)),), "srt")
    assert stage.search(stage.fingerprint([hidden]), stored, TextOverlapSettings()) == [[]]


def test_signatures_are_datasketchs_own():
    words = (words_of(script(prose(1, 260))).hashes >> np.uint64(32)).astype(np.uint32)
    shingles = shingles_of(words, 3)
    ours = signatures_of(words)
    for row, (start, end) in zip(ours, windows(len(shingles)), strict=True):
        plain = MinHash(num_perm=PERMUTATIONS, seed=SEED, hashfunc=int, scheme=SCHEME)
        for value in shingles[start:end]:
            plain.update(int(value) >> 32)
        assert (row == plain.hashvalues).all()


def test_estimates_are_near_the_exact_jaccard():
    rng = random.Random(3)
    errors = []
    for _ in range(40):
        one = [rng.getrandbits(32) for _ in range(100)]
        shared_words = rng.randint(5, 95)
        other = one[:shared_words] + [rng.getrandbits(32) for _ in range(100 - shared_words)]
        texts = [np.array(words, np.uint32) for words in (one, other)]
        a, b = (set(shingles_of(words, 3).tolist()) for words in texts)
        exact = len(a & b) / len(a | b)
        first, second = (signatures_of(words)[0] for words in texts)
        errors.append(float((first == second).mean()) - exact)
    # Standard error of one estimate is at most 0.5 / sqrt(128) = 0.044.
    assert max(abs(error) for error in errors) < 0.18
    assert abs(sum(errors) / len(errors)) < 0.03


@given(st.integers(1, 1000))
def test_windows_cover_every_shingle(count):
    spans = list(windows(count))
    covered = np.zeros(count, bool)
    for start, end in spans:
        assert 0 <= start < end <= count
        assert end - start == min(count, 98)
        covered[start:end] = True
    assert covered.all()
    assert spans == sorted(set(spans))


@settings(max_examples=15)
@given(st.integers(0, 11), st.integers(0, 1800), st.integers(60, 150))
def test_sixty_words_and_more_are_always_found(stage, works, number, start, words):
    texts, stored = works
    text, _, _ = planted(texts[number], start, words, seed=start, host_words=500)
    assert f"work-{number:02d}" in [one.work_id for one in search(stage, stored, text)]


def test_a_text_that_repeats_itself_costs_no_more_than_its_length(stage):
    """A repeated sentence has only a few different windows; each is compared once."""
    sentence = "The ferry left at six and nobody on the quay waved to it as it went out. "
    prints = stage.fingerprint([script(sentence * 3_000), script(sentence * 3_001)])
    stored = entries(stage, [prints[0]])
    [[evidence]] = stage.search([prints[1]], stored, type(stage).Settings())
    assert evidence.work_id == "work-00"
    built = stored.cached("text_overlap", lambda: None)
    assert len(built.windows) < 20


@pytest.mark.parametrize("start", range(0, 1900, 190))
def test_fifteen_words_are_found(stage, works, start):
    texts, stored = works
    text, at, passage = planted(texts[7], start, 15, seed=1000 + start)
    (evidence,) = search(stage, stored, text)
    (shared,) = evidence.passages
    assert (shared.asset_start, shared.words) == (at, 15)
    assert text[shared.asset_start : shared.asset_end] == passage.rstrip(".,")


def edited(passage, every):
    return " ".join(
        "Otherword" if n % every == every - 1 else word for n, word in enumerate(passage.split())
    )


@pytest.mark.parametrize(("words", "every"), [(80, 5), (200, 4), (400, 4)])
def test_words_changed_all_through_leave_one_passage(stage, works, words, every):
    texts, stored = works
    text, start, passage = planted(texts[4], 300, words)
    edited_text = text[:start] + edited(passage, every) + text[start + len(passage) :]
    (evidence,) = search(stage, stored, edited_text)
    (shared,) = evidence.passages
    assert shared.words >= 0.9 * (words - words // every)


def test_the_agreeing_runs_are_the_same_words_in_both_texts(stage, works):
    texts, stored = works
    text, start, passage = planted(texts[4], 300, 120)
    edited_text = text[:start] + edited(passage, 8) + text[start + len(passage) :]
    (shared,) = search(stage, stored, edited_text)[0].passages
    assert len(shared.agreeing) >= 14
    for start, end, work_start, work_end in shared.agreeing:
        asset, work = edited_text[start:end], texts[4][work_start:work_end]
        assert asset.replace(".", "").split() == work.replace(".", "").split()
        assert "Otherword" not in asset


def test_sentences_in_another_order_are_one_passage(stage, works):
    texts, stored = works
    words = texts[6].split()[400:520]
    sentences = [" ".join(words[n : n + 20]) for n in range(0, 120, 20)]
    moved = " ".join(sentences[n] for n in (2, 0, 5, 3, 1, 4))
    host = prose(88, 900).split()
    (evidence,) = search(stage, stored, " ".join([*host[:300], moved, *host[300:]]))
    (shared,) = evidence.passages
    assert shared.words == 120
    assert shared.chains > 1


SCENE = """INT. CUSTOM HOUSE - NIGHT

{a} counts the crates by the light of a torch.

{a}
Forty crates of lamp oil, and not one of them is on the list, {b}.

{b}
Lists are written by people who have never carried anything, {a}.

{a}
Then we shall carry {c} home and ask her what she wrote.

{b}
Ask {c} gently. Mother always said a frightened clerk remembers nothing.
"""


def test_a_renamed_cast_hides_nothing(stage):
    names, others = ("MARGARET", "Tobias", "Wren"), ("LEOPOLD", "Agnes", "Finch")
    scene, renamed = (
        SCENE.format(a=a, b=b, c=c).replace(f"{b}\n", f"{b.upper()}\n")
        for a, b, c in (names, others)
    )
    stored = entries(stage, stage.fingerprint([script(scene), script(prose(1, 500))]))
    (evidence,) = search(stage, stored, renamed)
    assert evidence.work_id == "work-00"
    (shared,) = evidence.passages
    assert renamed[shared.asset_start : shared.asset_end].startswith("counts the crates")
    assert renamed[shared.asset_start : shared.asset_end].endswith("remembers nothing")


def test_layout_and_cues_hide_nothing(stage):
    scene = SCENE.format(a="MARGARET", b="Tobias", c="Wren")
    stored = entries(stage, stage.fingerprint([script(scene), script(prose(1, 500))]))
    flowed = " ".join(scene.split())
    (evidence,) = search(stage, stored, flowed)
    assert evidence.passages[0].words >= 50
    assert len(evidence.passages) == 1


def test_obfuscation_is_undone_and_reported(stage, works):
    texts, stored = works
    text, start, passage = planted(texts[5], 100, 60)
    letters = str.maketrans("aeop", "аеор")
    edited_text = text[:start] + passage.translate(letters) + text[start + len(passage) :]
    (result,) = stage.fingerprint([script(edited_text)])
    (evidence,) = search(stage, stored, edited_text)
    assert evidence.passages[0].words == 60
    hidden = sum(passage.count(letter) for letter in "aeop")
    assert result.facts["text_obfuscated"] == hidden
    assert f"{hidden} look-alike letters" in stage.remark(result.facts)
    assert stage.remark(stage.fingerprint([script(text)])[0].facts) is None


def test_one_hidden_character_is_one_and_the_last_kind_is_joined_by_and(stage, works):
    texts, _ = works

    def remark(text):
        (fingerprint,) = stage.fingerprint([script(text)])
        return stage.remark(fingerprint.facts)

    assert "holds 1 invisible character; its words" in remark("\u2060" + texts[5])
    both = remark("\u2060\u2060\u00ad" + texts[5])
    assert "holds 2 invisible characters and 1 soft hyphen; its words" in both


def test_a_passage_with_words_changed_is_not_called_word_for_word(stage, works):
    texts, stored = works
    words = texts[2].split()[100:180]
    host = prose(51, 200)
    (exact,) = search(stage, stored, f"{host} {' '.join(words)}")
    assert stage.sentence(exact) == "A passage of 80 words is shared with it word for word."
    words[40] = "otherwise"
    (changed,) = search(stage, stored, f"{host} {' '.join(words)}")
    assert stage.sentence(changed) == (
        "A passage of 79 words is shared with it, though not word for word (99 % agrees)."
    )


def test_words_that_hidden_characters_run_together_are_not_called_changed(stage, works):
    texts, stored = works
    words = texts[2].split()[100:180]
    hidden = " ".join([*words[:35], "\u200b".join(words[35:45]), *words[45:]])
    (evidence,) = search(stage, stored, f"{prose(51, 200)} {hidden}")
    assert evidence.passages[0].identity < 1.0
    sentence = stage.sentence(evidence)
    assert "changed" not in sentence
    assert "though not word for word" in sentence


def test_a_phrase_of_many_works_counts_less(stage):
    """The same passage in a single work, and in twelve works that all contain it."""
    stock = prose(500, 40)
    one_work = entries(stage, stage.fingerprint([script(stock + " " + prose(1, 300))]))
    many = entries(
        stage, stage.fingerprint([script(f"{stock} {prose(n, 300)}") for n in range(1, 13)])
    )
    text = f"{prose(600, 200)} {stock} {prose(601, 200)}"
    (once,) = search(stage, one_work, text)
    several = search(stage, many, text)
    assert several
    assert several[0].measures["text_score"] < once.measures["text_score"] / 2


def test_a_phrase_that_a_text_repeats_counts_less(stage, works):
    texts, stored = works
    text, _, passage = planted(texts[3], 500, 14)
    (once,) = search(stage, stored, text)
    often = " ".join([text, *(f"{prose(70 + n, 60)} {passage}" for n in range(6))])
    evidence = search(stage, stored, often)
    best = max((one.score for one in evidence[0].passages), default=0.0) if evidence else 0.0
    assert best < once.passages[0].score / 2


def test_a_text_in_capitals_is_compared(stage, works):
    texts, stored = works
    text = "\n\n".join(" ".join(texts[2].split()[n : n + 6]).upper() for n in range(0, 300, 6))
    (evidence,) = search(stage, stored, text)
    assert evidence.measures["text_words"] == 300


@settings(max_examples=40)
@given(
    st.lists(
        st.sampled_from(
            [
                "tea",
                "Anna",
                "waits",
                "the",
                "quay",
                "e\u0301tude",
                "𝓽ide",
                "语",
                "won-\r\nder",
                "late,",
            ]
        ),
        min_size=12,
        max_size=160,
    ),
    st.sampled_from([" ", "\n", "\r\n\r\n"]),
)
def test_a_text_is_one_passage_of_itself(stage, parts, between):
    text = between.join(parts)
    (result,) = stage.fingerprint([script(text)])
    if isinstance(result, Abstention):
        return
    (evidence,) = search(stage, entries(stage, [result]), text)
    (shared,) = evidence.passages
    assert shared.identity == 1.0
    assert shared.words == result.facts["text_length"]
    assert (shared.asset_start, shared.asset_end) == (shared.work_start, shared.work_end)
    assert text[: shared.asset_start].strip() == ""
    assert not any(letter.isalnum() for letter in text[shared.asset_end :])


@pytest.mark.parametrize("between", [" ", "\u200a", "\n", "\u2800"])
def test_a_text_that_is_spaced_out_abstains(stage, works, between):
    spaced = between.join(works[0][0][:3000])
    (abstention,) = stage.fingerprint([script(spaced)])
    assert isinstance(abstention, Abstention)
    assert "single letters" in abstention.detail


@pytest.mark.parametrize("mark", [".", "#", "> ", "@"])
def test_a_passage_called_headings_is_found(stage, works, mark):
    words = works[0][3].split()[100:400]
    lines = (" ".join(words[at : at + 10]) for at in range(0, 300, 10))
    text = "\n\n".join(f"{mark}{line}" for line in lines) + "\n\n" + prose(707, 900)
    script_ = LoadedScript(text, (Span(0, len(text)),), "fountain", "utf-8")
    [[evidence]] = stage.search(stage.fingerprint([script_]), works[1], TextOverlapSettings())
    assert evidence.work_id == "work-03"
    assert evidence.measures["text_words"] >= 290
