"""Finding works by words: all of them, without case and accents, the best first."""

from __future__ import annotations

import pytest

from reference_index.finding import find_works
from reference_index.interface import Work, WorkFile

WORKS = [
    Work("FILM-017", "The Long Coat", "Ada Example", "protected"),
    Work("FILM-018", "Coat Check", "Jean Longval", "protected"),
    Work("long", "Kurz", "", "own"),
    Work("Ö-1", "Straßenszene bei Nacht", "Søren Ærø & Łukasz", "licensed"),
    Work("作品-1", "夜の東京", "東京フィルム", "protected"),
]
FILES = [
    WorkFile("FILM-017", "stills/blue/coat-01.png", "1" * 64, "image", "PNG", 1),
    WorkFile("FILM-017", "stills/red/coat-02.png", "2" * 64, "image", "PNG", 1),
    WorkFile("Ö-1", "E\u0301te\u0301/nuit.png", "3" * 64, "image", "PNG", 1),
]
ALIASES = {"OLD-9": "long"}


def found(*words):
    return find_works(words, WORKS, FILES, ALIASES)


@pytest.mark.parametrize(
    ("words", "ids"),
    [
        (["long"], ["long", "FILM-017", "FILM-018"]),  # the id, a whole word, a beginning
        (["LONG", "coat"], ["FILM-017", "FILM-018"]),
        (["coat", "ada"], ["FILM-017"]),
        (["coat", "nobody"], []),
        (["strassenszene"], ["Ö-1"]),
        (["STRASSEN"], ["Ö-1"]),
        (["soren", "aero", "lukasz"], ["Ö-1"]),
        (["été"], ["Ö-1"]),
        (["ete"], ["Ö-1"]),
        (["o-1"], ["Ö-1"]),
        (["東京"], ["作品-1"]),
        (["old-9"], ["long"]),
        (["film-01"], ["FILM-017", "FILM-018"]),
        (["["], []),
    ],
)
def test_works_with_all_words_best_first(words, ids):
    assert [one.work.work_id for one in found(*words)] == ids


def test_it_is_said_where_words_were_found():
    [one] = found("blue", "coat")
    assert one.fields == ("title", "path")
    assert one.paths == ("stills/blue/coat-01.png",)
    [one] = found("old")
    assert (one.fields, one.paths) == (("former_id",), ())
