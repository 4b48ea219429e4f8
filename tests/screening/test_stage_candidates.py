"""A wrong answer of a stage that nominates is that stage's alone: the run goes on."""

from __future__ import annotations

import pytest
from test_stage_runner import Also, Nominating, Verifying, runner, verified


@pytest.mark.parametrize(
    "answer", [lambda found: [], lambda found: None, lambda found: found * 2, lambda found: [None]]
)
def test_a_wrong_nomination_costs_nothing_else(answer):
    class Wrong(Nominating):
        def candidates(self, *given):
            return answer(super().candidates(*given))

    runners = [runner(Wrong(), 10, 11), runner(Also(), 10, 11), runner(Verifying(), 10, 11)]
    assert [set(one.values()) for one in verified(runners, [10, 11])] == [{"also numbers"}] * 2
