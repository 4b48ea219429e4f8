"""What a decision was made on, and whether it still holds for a row of a later run."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any, Self

from pipeline.core.records import Band
from pipeline.core.wording.text import BANDS


@dataclass(frozen=True, slots=True)
class Item:
    """What a decision is on: an asset together with a work.

    Attributes:
        asset: SHA-256 (hex) of the asset's bytes, or `path:` and its path if they could not be
            read. The same bytes at two paths are one item.
        work_id: the work; None for a row without a match.
    """

    asset: str
    work_id: str | None

    @classmethod
    def of(cls, asset_id: str | None, asset_path: str, work_id: str | None) -> Self:
        """The item of a row: its asset's id, path and work, as in the risk table."""
        return cls(asset_id or f"path:{asset_path}", work_id or None)

    @classmethod
    def of_row(cls, row: Mapping[str, Any]) -> Self:
        """The item of a row of the risk table, or of matches.parquet."""
        return cls.of(row["asset_id"], row["asset_path"], row["work_id"])

    def under(self, aliases: Mapping[str, str]) -> Self:
        """The item with the present id of its work, given by former id the present one."""
        present = aliases.get(self.work_id or "")
        return self if present is None else replace(self, work_id=present)

    def to_json(self) -> dict[str, str | None]:
        """As JSON values."""
        return {"asset": self.asset, "work_id": self.work_id}

    @classmethod
    def of_json(cls, value: Mapping[str, Any]) -> Self:
        """Back from `to_json`."""
        return cls(value["asset"], value["work_id"])


@dataclass(frozen=True, slots=True)
class Basis:
    """The evidence that a decision was made on: values of the row, and the run they are from.

    Attributes:
        strongest: whether `work_id` was the row's strongest work. A decision on another of a row's
            works does not decide the row.
    """

    asset_id: str | None
    asset_path: str
    work_id: str | None
    index_version: int
    index_digest: str
    config_fingerprint: str
    risk: float | None
    band: Band
    run_id: str
    strongest: bool = True

    @property
    def item(self) -> Item:
        """The item that was decided on."""
        return Item.of(self.asset_id, self.asset_path, self.work_id)

    @classmethod
    def of_row(cls, row: Mapping[str, Any], match: Mapping[str, Any] | None = None) -> Self:
        """The basis of a decision on a row of the risk table.

        Args:
            row: of the risk table, by column, as `to_pylist` gives it.
            match: of matches.parquet, for another work than the row's strongest: work, risk and
                band are then the match's own (the row's band if the match has none), so that a
                decision on it does not depend on the row's other matches.
        """
        source = row if match is None else match
        return cls(
            asset_id=row["asset_id"] or None,
            asset_path=row["asset_path"],
            work_id=source["work_id"] or None,
            index_version=int(row["index_version"]),
            index_digest=row["index_digest"],
            config_fingerprint=row["config_fingerprint"],
            risk=None if source["risk"] is None else float(source["risk"]),
            band=Band(source.get("band") or row["band"]),
            run_id=row["run_id"],
            strongest=(source["work_id"] or None) == (row["work_id"] or None),
        )

    def to_json(self) -> dict[str, Any]:
        """As JSON values; the risk as the shortest text that gives the same number.

        `strongest` is written only if it is false.
        """
        value: dict[str, Any] = {
            "asset_id": self.asset_id,
            "asset_path": self.asset_path,
            "work_id": self.work_id,
            "index_version": self.index_version,
            "index_digest": self.index_digest,
            "config_fingerprint": self.config_fingerprint,
            "risk": None if self.risk is None else repr(float(self.risk)),
            "band": str(self.band),
            "run_id": self.run_id,
        }
        return value if self.strongest else {**value, "strongest": False}

    @classmethod
    def of_json(cls, value: Mapping[str, Any]) -> Self:
        """Back from `to_json`.

        Raises:
            KeyError, TypeError, ValueError: if a value is missing or of another type.
        """
        risk = None if value["risk"] is None else float(value["risk"])
        if risk is not None and not 0 <= risk <= 1:
            raise ValueError(f"a risk of {risk}")
        fields = {name: value[name] for name in cls.__slots__ if name != "strongest"}
        strongest = value.get("strongest", True)
        if not isinstance(strongest, bool):
            raise TypeError("`strongest` is neither true nor false")
        return cls(**{**fields, "risk": risk, "band": Band(value["band"]), "strongest": strongest})


def reasons_to_reopen(decided: Basis, now: Basis) -> tuple[str, ...]:
    """Sentences on why a decision made on `decided` does not hold for `now`; empty if it holds.

    A decision is reopened if the file has other bytes, if the strongest work is another one, or if
    the band changed in either direction; what may have moved the band is then named. A new version
    of the index, another configuration or another risk within the same band reopens nothing.
    """
    reasons: list[str] = []
    if decided.asset_id != now.asset_id:
        reasons.append(
            "The file’s content changed after the decision."
            if decided.asset_id and now.asset_id
            else "The file's bytes could be read only one of the two times."
        )
    if decided.work_id != now.work_id:
        reasons.append(_other_work(decided.work_id, now.work_id))
    if decided.band is not now.band:
        reasons.append(
            f"The row was decided on as “{BANDS[decided.band]}” and is “{BANDS[now.band]}” now"
            f"{_moved(decided, now)}."
        )
    return tuple(reasons)


def _other_work(before: str | None, now: str | None) -> str:
    if before is None:
        return f"There was no work in question, and now there is {now}."
    if now is None:
        return f"The work decided on was {before}, and now there is none in question."
    return f"The work decided on was {before}, and now {now} is the strongest match."


def _moved(decided: Basis, now: Basis) -> str:
    causes = []
    if decided.index_digest != now.index_digest or decided.index_version != now.index_version:
        causes.append(
            f"the index is at version {now.index_version}, it was at {decided.index_version}"
            if decided.index_version != now.index_version
            else "the index is another one"
        )
    if decided.config_fingerprint != now.config_fingerprint:
        causes.append("the configuration is another one")
    return f" ({'; '.join(causes)})" if causes else ""
