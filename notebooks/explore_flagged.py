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
# # What was flagged, and why
#
# Opens the results of a run and follows flagged assets, stage by stage. It starts on the demo's
# results (`make demo`); set `CLEARANCE_RUN` to the folder of a run of yours (what you gave as
# `--out`, or `latest` of a scan directory) before starting Jupyter, or change the line below.
#
# Nothing here leaves your machine: pictures and texts are read from the drop and the index that
# the run names.

# %%
import os

import matplotlib.pyplot as plt

from pipeline import load_run

run = load_run(os.environ.get("CLEARANCE_RUN", "../demo/out"))
run

# %% [markdown]
# ## Files in each band

# %%
run.table["band"].value_counts()

# %% [markdown]
# ## Flagged, the most urgent first
#
# `run.flagged` is a data frame: sort, filter and group it like any other.

# %%
columns = ["asset_path", "band", "risk", "title", "rightsholder", "other_works"]
run.flagged[columns].style.format({"risk": "{:.2f}"}).hide(axis="index")

# %% [markdown]
# The same with thumbnails. Give `gallery` any rows of `run.table`, in the order you like.

# %%
run.gallery(limit=12)

# %%
run.gallery(run.flagged.sort_values("title"), limit=6)

# %% [markdown]
# ## One asset
#
# `run.show` takes a path, the end of one, or the beginning of a SHA-256: what the stages said, how
# the risk comes about, and the two pictures or passages side by side.

# %%
run.show(run.flagged["asset_path"].iloc[0]) if len(run.flagged) else "Nothing was flagged."

# %% [markdown]
# A script, if one was flagged: the words that both texts have are marked.

# %%
scripts = run.flagged[run.flagged["kind"] == "script"]["asset_path"]
run.show(scripts.iloc[0]) if len(scripts) else "No script was flagged."

# %% [markdown]
# ## Its nearest works

# %%
if len(run.flagged):
    nearest = run.nearest(run.flagged["asset_path"].iloc[0])
    shown = nearest[["rank", "work_id", "title", "risk"]]
else:
    shown = "Nothing was flagged."
shown

# %% [markdown]
# ## What each kind of evidence adds
#
# Contributions are log-odds: three more make a pair about twenty times as likely a copy.

# %%
added = [c for c in run.matches.columns if c.startswith("contribution_")]
top = run.matches[run.matches["rank"] == 1].set_index("asset_path")[added]
top = top.loc[:, top.notna().any()].astype(float).fillna(0.0)
if len(top):
    axes = top.rename(
        columns=lambda c: c.removeprefix("contribution_").replace("_", " ")
    ).plot.barh(stacked=True, figsize=(9, 0.35 * len(top) + 1.5))
    axes.set_xlabel("log-odds added")
    axes.set_ylabel("")
    axes.invert_yaxis()
    plt.tight_layout()
    plt.show()

# %% [markdown]
# ## What could not be judged
#
# These rows say nothing of a match either way.

# %%
undone = run.table[run.table["band"].isin(["not_screened", "partly_screened"])]
undone[["asset_path", "band", "reasons"]].style.hide(axis="index")
