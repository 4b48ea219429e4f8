"""Suppression of false matches: what decisions that a match is false do to the matches of a run
(docs/record.md).

Matches are scored as if there were no decisions. Suppression applies where a row is written, so a
decision that is taken back counts in the next scan, and no asset has to be scored again for it.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from pipeline.core.records import Asset, Band
from pipeline.core.wording.text import BANDS, listed, risk_number, visible
from pipeline.decisions.basis import Basis, reasons_to_reopen
from pipeline.decisions.state import Suppression


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


class FalseMatches:
    """Decisions that a match is false, by asset and work, applied to the matches of one run.

    Args:
        decisions: as `Items.suppressions` gives them.
        index_version, index_digest, config_fingerprint: of the run.
    """

    def __init__(
        self,
        decisions: Iterable[Suppression],
        index_version: int,
        index_digest: str,
        config_fingerprint: str,
    ) -> None:
        self._by_asset: dict[str, dict[str, Suppression]] = {}
        for decision in decisions:
            self._by_asset.setdefault(decision.asset_id, {})[decision.work_id] = decision
        self._run = (index_version, index_digest, config_fingerprint)

    def effects(
        self, asset: Asset, matches: Iterable[tuple[str, float, Band]]
    ) -> Mapping[str, FalseMatchEffect]:
        """By work id, the effect on an asset's matches; only matches with such a decision.

        Args:
            asset: the asset.
            matches: of each its work id, risk and band, without suppression. The band is the
                match's own: suppressing another match of the asset does not change it.
        """
        decisions = self._by_asset.get(asset.asset_id or "")
        if not decisions:
            return {}
        version, digest, fingerprint = self._run
        effects = {}
        for work_id, risk, band in matches:
            decision = decisions.get(work_id)
            if decision is None:
                continue
            now = Basis(
                asset.asset_id, asset.asset_path, work_id, version, digest, fingerprint, risk, band,
                run_id="",
            )  # fmt: skip
            why_not = reasons_to_reopen(decision.basis, now)
            effects[work_id] = FalseMatchEffect(decision, why_not)
        return effects
