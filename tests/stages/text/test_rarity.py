"""Weights of agreeing words by rarity."""

import numpy as np
import pytest

from pipeline.stages.text.rarity import SETTINGS, Rarity, phrases_weighed_down


def test_the_worked_example_of_the_module():
    the, ferry, lighthouse, rest = range(1, 5)
    words = np.array([the, ferry, rest], np.uint32)
    rarity = Rarity(words, np.array([60_000, 40, 939_960]))
    weights = rarity.weights(np.array([the, ferry, lighthouse], np.uint32), np.array([3, 5, 10]))
    assert weights == pytest.approx([0.43, 1.27, 1.5], abs=5e-3)
    down = phrases_weighed_down(weights, np.array([1, 12, 2]))
    assert down == pytest.approx([0.43, 0.36, 1.5], abs=5e-3)


@pytest.mark.parametrize(("works", "weight"), [(2, 1.0), (3, 0.477), (4, 0.419)])
def test_a_phrase_of_many_works_at_below_and_above(works, weight):
    assert SETTINGS.common == 3
    down = phrases_weighed_down(np.ones(1), np.array([works]))
    assert down[0] == pytest.approx(weight, abs=5e-4)


def test_an_empty_index_weighs_by_length():
    rarity = Rarity(np.empty(0, np.uint32), np.empty(0, np.int64))
    weights = rarity.weights(np.array([7, 7, 7], np.uint32), np.array([1, 5, 30]))
    assert weights == pytest.approx([0.6, 1.05, 1.4])
