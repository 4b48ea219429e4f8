"""False matches that people agreed on, held against what is judged now (docs/record.md).

What is judged is judged without them. They act where a row is written, so that a decision that is
taken back counts in the very next scan, and nothing has to be judged anew for it.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from pipeline.core.records import Asset, Band
from pipeline.core.wording.terms import BANDS, risk_number
from pipeline.core.wording.visible import visible
from pipeline.decisions.basis import Basis, standing
from pipeline.decisions.state import Suppression


@dataclass(frozen=True, slots=True)
class Ruling:
    """What people's word that a match is false does to it now.

    Attributes:
        said: their word.
        why: sentences, why it does not cover the match any more; empty if the match is suppressed.
    """

    said: Suppression
    why: tuple[str, ...] = ()

    @property
    def suppresses(self) -> bool:
        """Whether the match is left out of what decides the row."""
        return not self.why

    def sentence(self, title: str, risk: float, band: Band) -> str:
        """What it does, in words.

        Args:
            title: the work's, with its id.
            risk, band: of the match, as judged.
        """
        by = _listed([visible(name) for name in self.said.by])
        said = f"{by} said on {self.said.since[:10]} that the match with {title} is false"
        if self.suppresses:
            return (
                f"{said}; it would stand at risk {risk_number(risk)} in band “{BANDS[band]}” "
                "otherwise."
            )
        return f"{said}; that does not cover it any more. {' '.join(self.why)}"


class FalseMatches:
    """False matches by asset and work, and the run whose matches they are held against.

    Args:
        said: what people agreed on, as `Items.suppressions` gives it.
        index_version, index_digest, config_fingerprint: of the run.
    """

    def __init__(
        self,
        said: Iterable[Suppression],
        index_version: int,
        index_digest: str,
        config_fingerprint: str,
    ) -> None:
        self._by_asset: dict[str, dict[str, Suppression]] = {}
        for one in said:
            self._by_asset.setdefault(one.asset_id, {})[one.work_id] = one
        self._run = (index_version, index_digest, config_fingerprint)

    def rulings(
        self, asset: Asset, judged: Iterable[tuple[str, float, Band]]
    ) -> Mapping[str, Ruling]:
        """By work id, what people's word does to an asset's matches; those they spoke of alone.

        Args:
            asset: the asset.
            judged: of each match its work id, risk and band, as judged without any suppression.
                The band is the match's own: it is not moved by what becomes of other matches.
        """
        said = self._by_asset.get(asset.asset_id or "")
        if not said:
            return {}
        version, digest, fingerprint = self._run
        found = {}
        for work_id, risk, band in judged:
            if work_id not in said:
                continue
            now = Basis(
                asset.asset_id, asset.asset_path, work_id, version, digest, fingerprint, risk, band,
                run_id="",
            )  # fmt: skip
            one = said[work_id]
            covered = one.covers(now)
            found[work_id] = Ruling(one, () if covered else standing(one.basis, now).why)
        return found


def _listed(names: list[str]) -> str:
    if len(names) < 2:
        return "".join(names)
    return f"{', '.join(names[:-1])} and {names[-1]}"
