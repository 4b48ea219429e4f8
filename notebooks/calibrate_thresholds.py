# ---
# jupyter:
#   jupytext:
#     text_representation:
#       extension: .py
#       format_name: percent
#   kernelspec:
#     display_name: Python 3 (ipykernel)
#     language: python
#     name: python3
# ---

# %% [markdown]
# # What other thresholds would flag
#
# Looks at the measures behind a run's risks, at what other cuts between the bands would have
# flagged, and, where the truth is known, at how far a risk can be trusted.
#
# It starts on the demo's results. `CLEARANCE_RUN` names another run; `CLEARANCE_LABELS` a CSV file
# with the columns `asset_path` and `work_id` (empty: a copy of no registered work).

# %%
import os
from pathlib import Path

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd

from pipeline import load_run

folder = Path(os.environ.get("CLEARANCE_RUN", "../demo/out"))
run = load_run(folder)
run

# %% [markdown]
# ## The measures
#
# Each measure of a match, over all pairs of an asset and a work with any evidence.

# %%
names = [
    name
    for name in (
        "phash_distance",
        "pdq_distance",
        "clip_margin",
        "overlap_agreement",
        "overlap_strength",
        "text_score",
        "text_longest",
    )
    if name in run.matches and run.matches[name].notna().any()
]
figure, rows = plt.subplots(
    max(1, len(names)), 1, figsize=(8, 1.9 * max(1, len(names))), squeeze=False
)
for axes, name in zip(rows[:, 0], names, strict=False):
    axes.hist(run.matches[name].dropna().astype(float), bins=30)
    axes.set_xlabel(name.replace("_", " "))
    axes.set_ylabel("pairs")
figure.tight_layout()
plt.show()

# %% [markdown]
# ## What a cut would flag
#
# Rows whose risk reaches a cut. The cuts of this run stand in the last lines; write others into a
# configuration under `bands`, and screen again.

# %%
cuts = run.info["config"]["bands"]
risk = run.table.loc[run.table["work_id"].notna(), "risk"].astype(float)
steps = np.array([0.05, 0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9, 0.95, 0.99])
flagged = pd.DataFrame({"cut": steps, "rows at or above": [(risk >= cut).sum() for cut in steps]})
flagged.style.format({"cut": "{:.2f}"}).hide(axis="index")

# %%
axes = flagged.plot(x="cut", y="rows at or above", marker="o", legend=False, figsize=(8, 3))
axes.set_ylim(0, max(1, 1.1 * flagged["rows at or above"].max()))
for name, cut in cuts.items():
    axes.axvline(cut, linestyle="--", color="0.5")
    axes.annotate(name, (cut, axes.get_ylim()[1]), rotation=90, va="top", ha="right")
axes.set_ylabel("rows at or above")
plt.tight_layout()
plt.show()

# %% [markdown]
# ## How far a risk can be trusted
#
# With labels: of the pairs that were given such a risk, how many were copies? `clearance evaluate`
# does this with more care, on pairs that are labelled for it, and can write a calibration of your
# own; see docs/evaluate.md.

# %%
labels_file = Path(os.environ.get("CLEARANCE_LABELS", folder.parent / "truth.csv"))
if labels_file.is_file():
    labels = pd.read_csv(labels_file, dtype=str, keep_default_na=False)
    labels = labels.set_index("asset_path")["work_id"]
    pairs = run.matches[run.matches["asset_path"].isin(labels.index)]
    copied = pairs["work_id"] == pairs["asset_path"].map(labels)
    bins = pd.cut(pairs["risk"].astype(float), np.linspace(0, 1, 6), include_lowest=True)
    reliability = pd.DataFrame(
        {
            "pairs": copied.groupby(bins, observed=True).size(),
            "said": pairs["risk"].astype(float).groupby(bins, observed=True).mean(),
            "were copies": copied.groupby(bins, observed=True).mean(),
        }
    )
else:
    reliability = pd.DataFrame(columns=["pairs", "said", "were copies"])
reliability

# %%
axes = (
    reliability.plot.scatter(
        x="said",
        y="were copies",
        s=20 + 10 * reliability["pairs"].astype(float),
        figsize=(4.5, 4.5),
    )
    if len(reliability)
    else None
)
if axes is not None:
    axes.plot([0, 1], [0, 1], linestyle="--", color="0.5")
    axes.set_xlim(-0.05, 1.05)
    axes.set_ylim(-0.05, 1.05)
    plt.tight_layout()
    plt.show()
