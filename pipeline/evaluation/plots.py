"""Plots of an evaluation: reliability curves, and precision against recall.

matplotlib is imported inside the functions, and draws without a display.
"""

from __future__ import annotations

import io
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from pipeline.core.wording.text import count
from pipeline.evaluation.metrics import ReliabilityRow, likely_shares, precision_recall

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

INK = "#22272e"
GREY = "#8a929c"
FAINT = "#e6e9ed"
COPY = "#1f5fa8"
NO_COPY = "#e0a458"
COLOURS = {"all": INK, "image": "#1f5fa8", "script": "#b4472f", "other": GREY}
TITLES = {"all": "All", "image": "Pictures", "script": "Scripts", "other": "Others"}
HOLLOW = {"markerfacecolor": "none", "markeredgewidth": 1.6, "linestyle": "none"}
MARKS: tuple[dict[str, Any], ...] = (
    {"marker": "^", "markersize": 7, **HOLLOW},
    {"marker": "s", "markersize": 12, **HOLLOW},
)
"""Markers of the bands' cuts, in the order of their names; where both coincide, both show."""

MOST_POINTS = 60
"""A curve of more thresholds is drawn without a marker for each."""

DPI = 130


@dataclass(frozen=True)
class Ranking:
    """The pairs with evidence, and the number of all labelled copies.

    Attributes:
        risks: float64 (n,).
        copies: bool (n,).
        positives: all labelled copies.
    """

    risks: NDArray[np.float64]
    copies: NDArray[np.bool_]
    positives: int


def reliability_png(tables: Mapping[str, Sequence[ReliabilityRow]]) -> bytes:
    """The reliability curve of each kind: risk against the share of copies, and a histogram.

    Args:
        tables: by kind, its reliability table; kinds without a pair are left out.
    """
    panels = {name: table for name, table in tables.items() if table}
    with _figure(5.4 * max(1, len(panels)), 6.6) as figure:
        if not panels:
            _empty(figure, "No pair had evidence.")
        else:
            axes = figure.subplots(
                2, len(panels), squeeze=False, sharex="col", height_ratios=(3, 1.25)
            )
            for column, (name, table) in enumerate(panels.items()):
                _reliability(axes[0][column], name, table)
                _histogram(axes[1][column], table)
            handles, labels = axes[0][0].get_legend_handles_labels()
            bars, names = axes[1][0].get_legend_handles_labels()
            figure.legend(
                [*handles, *bars], [*labels, *names], loc="outside lower center", ncols=2,
                frameon=False, fontsize=9,
            )  # fmt: skip
        return _png(figure)


def _reliability(axes: Axes, name: str, table: Sequence[ReliabilityRow]) -> None:
    pairs = sum(row.pairs for row in table)
    copies = sum(_copies(row) for row in table)
    axes.set_title(
        f"{TITLES[name]}: {count(pairs, 'pair')} with evidence, {count(copies, 'copy', 'copies')}",
        fontsize=11,
    )
    axes.plot(
        [0, 1], [0, 1], color=GREY, linewidth=1, linestyle=(0, (4, 3)), label="as it should be"
    )
    risks = [row.mean_risk for row in table]
    shares = [row.copies for row in table]
    bounds = [likely_shares(_copies(row), row.pairs) for row in table]
    axes.errorbar(
        risks,
        shares,
        yerr=[
            [max(0.0, share - low) for share, (low, _) in zip(shares, bounds, strict=True)],
            [max(0.0, high - share) for share, (_, high) in zip(shares, bounds, strict=True)],
        ],
        color=COPY,
        marker="o",
        markersize=5,
        linewidth=1.6,
        elinewidth=1,
        capsize=3,
        label="as it was, with 95 % interval",
    )
    axes.set_ylabel("share that were copies")
    axes.set_ylim(-0.03, 1.03)
    axes.set_xlim(-0.02, 1.02)
    _plain(axes)


def _histogram(axes: Axes, table: Sequence[ReliabilityRow]) -> None:
    left = np.array([row.low for row in table])
    width = np.array([row.high - row.low for row in table])
    copies = np.array([_copies(row) for row in table])
    pairs = np.array([row.pairs for row in table])
    style: dict[str, Any] = {"width": 0.86 * width, "align": "center"}
    axes.bar(left + width / 2, copies, color=COPY, label="copies", **style)
    axes.bar(
        left + width / 2, pairs - copies, bottom=copies, color=NO_COPY, label="not copies", **style
    )
    for x, number in zip(left + width / 2, pairs, strict=True):
        axes.annotate(
            f"{number:,}", (x, number), xytext=(0, 2), textcoords="offset points",
            ha="center", va="bottom", fontsize=8, color=INK,
        )  # fmt: skip
    axes.set_ylim(0, 1.22 * pairs.max())
    axes.set_xlabel("risk that was said")
    axes.set_ylabel("pairs")
    axes.set_xticks(np.linspace(0, 1, 11))
    _plain(axes)


def _copies(row: ReliabilityRow) -> int:
    return round(row.pairs * row.copies)


def precision_recall_png(rankings: Mapping[str, Ranking], cuts: Mapping[str, float]) -> bytes:
    """Precision against recall over all thresholds of the risk.

    Args:
        rankings: by `all` and kind, the pairs; those without a copy are left out.
        cuts: by name of a band, the risk at which it begins; marked on the curves.
    """
    drawn = {name: one for name, one in rankings.items() if one.positives and one.risks.size}
    if len(drawn) == 2:  # `all` and one kind are the same curve
        drawn.pop("all", None)
    with _figure(6.6, 5.8) as figure:
        if not drawn:
            _empty(figure, "No copy is labelled, or no pair had evidence.")
            return _png(figure)
        axes = figure.subplots()
        for name, one in drawn.items():
            colour = COLOURS[name]
            precision, recall = precision_recall(one.risks, one.copies, one.positives)
            axes.plot(
                recall, precision, color=colour, linewidth=1.8, markersize=4,
                marker="." if len(recall) <= MOST_POINTS else "",
                label=f"{TITLES[name]} ({count(one.positives, 'copy', 'copies')})",
            )  # fmt: skip
            for (_, cut), mark in zip(sorted(cuts.items()), MARKS, strict=True):
                _mark(axes, one, cut, mark)
        for (band, cut), mark in zip(sorted(cuts.items()), MARKS, strict=True):
            axes.plot([], [], color=INK, label=f"{band}, from risk {cut:g}", **mark)
        axes.set_xlabel("recall: share of the labelled copies found")
        axes.set_ylabel("precision: share of the found pairs that are copies")
        axes.set_xlim(-0.02, 1.02)
        axes.set_ylim(-0.03, 1.03)
        axes.set_title("Precision and recall", fontsize=11)
        axes.legend(loc="lower left", frameon=False, fontsize=9)
        _plain(axes)
        return _png(figure)


def _mark(axes: Axes, one: Ranking, cut: float, mark: Mapping[str, Any]) -> None:
    above = one.risks >= cut
    if above.any():
        hits = int(one.copies[above].sum())
        axes.plot([hits / one.positives], [hits / int(above.sum())], color=INK, zorder=5, **mark)


@contextmanager
def _figure(width: float, height: float) -> Iterator[Figure]:
    """A figure in matplotlib's default style, independent of the machine's configuration."""
    import matplotlib as mpl
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure
    from matplotlib.layout_engine import ConstrainedLayoutEngine

    with mpl.rc_context():
        mpl.rcdefaults()
        engine = ConstrainedLayoutEngine(wspace=0.06)
        figure = Figure((width, height), dpi=DPI, facecolor="white", layout=engine)
        FigureCanvasAgg(figure)
        yield figure


def _png(figure: Figure) -> bytes:
    file = io.BytesIO()
    figure.savefig(file, format="png", dpi=DPI, metadata={"Software": "Clearance"})
    return file.getvalue()


def _plain(axes: Axes) -> None:
    axes.grid(color=FAINT, linewidth=0.8)
    axes.set_axisbelow(True)
    for side in ("top", "right"):
        axes.spines[side].set_visible(False)
    for side in ("left", "bottom"):
        axes.spines[side].set_color(GREY)
    axes.tick_params(colors=INK, labelsize=9)


def _empty(figure: Figure, text: str) -> None:
    figure.text(0.5, 0.5, text, ha="center", va="center", color=INK, fontsize=12)
