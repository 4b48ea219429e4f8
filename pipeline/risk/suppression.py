"""Suppression: what decisions that a match is false, and rules, do to the matches of a run
(docs/record.md).

Matches are scored as if there were no decisions. Suppression applies where a row is made
(`fuse.py`), so a decision that is taken back, or a rule that is revoked, counts in the next scan,
and no asset has to be scored again for it.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass
from typing import ClassVar

from pipeline.core.records import Asset, Band
from pipeline.core.wording.text import BANDS, listed, risk_number, visible
from pipeline.decisions.basis import Basis, reasons_to_reopen
from pipeline.decisions.form_2 import SuppressionRule
from pipeline.decisions.standing import Standing
from pipeline.decisions.state import Suppression
from reference_index.interface import Work

LONGEST_REASON = 200
"""Characters of a rule's reason that the sentence of a row has; the record has all of it."""


@dataclass(frozen=True, slots=True)
class FalseMatchEffect:
    """Effect of a "false match" decision on a match of this run.

    Attributes:
        decision: the decision, or several that agree.
        why_not: sentences, why the decision no longer covers the match; empty if the match is
            suppressed.
    """

    decision: Suppression
    why_not: tuple[str, ...] = ()

    @property
    def event_ids(self) -> tuple[str, ...]:
        """The decisions; taking one back ends the suppression."""
        return self.decision.event_ids

    @property
    def suppresses(self) -> bool:
        """Whether the match is left out when the row's band and risk are decided."""
        return not self.why_not

    def sentence(self, title: str, risk: float, band: Band) -> str:
        """The effect as a sentence for the row's reasons.

        Args:
            title: the work's, with its id.
            risk, band: of the match, without suppression.
        """
        people = listed([visible(name) for name in self.decision.by])
        day = self.decision.since[:10]
        decided = f"{people} said on {day} that the match with {title} is false"
        if self.suppresses:
            return (
                f"{decided}; without that its risk would be {risk_number(risk)}, in band "
                f"“{BANDS[band]}”."
            )
        return f"{decided}; that no longer applies. {' '.join(self.why_not)}"


@dataclass(frozen=True, slots=True)
class RuleEffect:
    """Effect of a rule that suppresses a match of this run."""

    rule: Standing[SuppressionRule]
    suppresses: ClassVar[bool] = True

    @property
    def event_ids(self) -> tuple[str, ...]:
        """The event by which the rule was added."""
        return (self.rule.event_id,)

    def sentence(self, title: str, risk: float, band: Band) -> str:
        """The effect as a sentence for the row's reasons. Arguments as `FalseMatchEffect`."""
        people = listed([visible(name) for name in self.rule.by])
        reason = visible(" ".join(self.rule.payload.reason.split()))
        reason = reason if len(reason) <= LONGEST_REASON else f"{reason[: LONGEST_REASON - 1]}…"
        until = f", until {self.rule.until}" if self.rule.until else ""
        return (
            f"Rule {self.rule.number} suppresses the match with {title}: “{reason}” ({people}, "
            f"{self.rule.since[:10]}{until}); without it its risk would be {risk_number(risk)}, in "
            f"band “{BANDS[band]}”."
        )


Effect = FalseMatchEffect | RuleEffect


def work_columns(work: Work) -> dict[str, str]:
    """The columns of a work by which a rule may choose it."""
    details = {"title": work.title, "rightsholder": work.rightsholder, "rights": work.rights}
    return {**work.notes, **details}


class RuleCover:
    """Which rule covers a pair of asset and work.

    Args:
        rules: those that count.
        works: by work id, the columns of each work by name.
        aliases: by former id of a work, its present id.
    """

    def __init__(
        self,
        rules: Iterable[Standing[SuppressionRule]],
        works: Mapping[str, Mapping[str, str]],
        aliases: Mapping[str, str] | None = None,
    ) -> None:
        self._of_work: dict[str, list[Standing[SuppressionRule]]] = {}
        for rule in rules:
            for work_id in rule.payload.works.among(works, aliases):
                self._of_work.setdefault(work_id, []).append(rule)

    def rules_on(
        self, asset_path: str, work_ids: Iterable[str]
    ) -> dict[str, Standing[SuppressionRule]]:
        """By work id, the oldest rule that covers an asset's match with it."""
        found: dict[str, Standing[SuppressionRule]] = {}
        for work_id in work_ids:
            for rule in self._of_work.get(work_id, ()):
                if rule.payload.assets.covers(asset_path):
                    found[work_id] = rule
                    break
        return found


class Suppressions:
    """Decisions that a match is false, and rules, applied to the matches of one run.

    Args:
        decisions: as `Items.suppressions` gives them.
        index_version, index_digest, config_fingerprint: of the run.
        rules: those that count on the day of the run, and the works that they may choose.
    """

    def __init__(
        self,
        decisions: Iterable[Suppression],
        index_version: int,
        index_digest: str,
        config_fingerprint: str,
        rules: RuleCover | None = None,
    ) -> None:
        self._by_asset: dict[str, dict[str, Suppression]] = {}
        for decision in decisions:
            self._by_asset.setdefault(decision.asset_id, {})[decision.work_id] = decision
        self._run = (index_version, index_digest, config_fingerprint)
        self._rules = rules

    def effects(
        self, asset: Asset, matches: Collection[tuple[str, float, Band]]
    ) -> Mapping[str, tuple[Effect, ...]]:
        """By work id, the effects on an asset's matches; only matches with any.

        Args:
            asset: the asset.
            matches: of each its work id, risk and band, without suppression. The band is the
                match's own: suppressing another match of the asset does not change it.
        """
        decisions = self._by_asset.get(asset.asset_id or "", {})
        rules: Mapping[str, Standing[SuppressionRule]] = {}
        if self._rules is not None and matches:
            rules = self._rules.rules_on(asset.asset_path, (work_id for work_id, _, _ in matches))
        version, digest, fingerprint = self._run
        effects: dict[str, tuple[Effect, ...]] = {}
        for work_id, risk, band in matches:
            decision, rule = decisions.get(work_id), rules.get(work_id)
            found: tuple[Effect, ...] = ()
            if decision is not None:
                now = Basis(
                    asset.asset_id, asset.asset_path, work_id, version, digest, fingerprint, risk,
                    band, run_id="",
                )  # fmt: skip
                found += (FalseMatchEffect(decision, reasons_to_reopen(decision.basis, now)),)
            if rule is not None:
                found += (RuleEffect(rule),)
            if found:
                effects[work_id] = found
        return effects
