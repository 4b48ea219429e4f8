"""Makes the calibration that ships: fitted to one half of the works, measured on the other.

    python -m benchmarks.calibrate --images NAME=DIR ... --texts NAME=DIR \\
        --out configs/calibration/default.json --seed 1

NAME is recorded in the file (by default the folder's name). The demo's photographs and generated
pictures are always used. With `--only script` (or `image`) the model and data of the other kind are
taken from the existing file. How the pairs are made: docs/risk.md.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from pydantic import JsonValue

from benchmarks.calibration_pairs import Side, picture_sides, side_pairs, text_sides
from pipeline.cli.demo.material import PHOTOGRAPHS_FOLDER
from pipeline.core.errors import ModelError
from pipeline.core.records import Kind
from pipeline.evaluation.fitting import RIDGE, fit_model, widen_settings
from pipeline.risk.calibration import Calibration, KindModel, risk_of
from pipeline.stages import STAGES, Stage


def fit_kind(sides: tuple[Side, Side], stages: Sequence[Stage]) -> KindModel:
    """The model for one kind: fitted on the first side, measured on the second.

    It is measured on the evidence that a run with default settings finds.
    """
    usual = {stage.name: stage.Settings() for stage in stages}
    fitted_on = side_pairs(sides[0], stages, widen_settings(usual))
    return fit_model(fitted_on, side_pairs(sides[1], stages, usual))


def create_stages(kind: Kind) -> list[Stage]:
    """The registered stages of one kind; one whose model is missing is left out with a message."""
    stages = []
    for name, stage in STAGES.items():
        if stage.kind is kind:
            try:
                stages.append(stage.create(model="clearance-mini"))
            except ModelError as error:
                print(f"left out {name}: {error}")
    return stages


def named_folder(argument: str) -> tuple[str, Path]:
    name, _, folder = argument.rpartition("=")
    path = Path(folder)
    if not path.is_dir():
        raise argparse.ArgumentTypeError(f"there is no folder {path}")
    return name or path.name, path


def show(kind: Kind, model: KindModel) -> None:
    held = model.held_out
    if held is None:
        return
    print(
        f"\n{kind.value}: fitted on {model.pairs:,} pairs ({model.copies:,} copies); held out: "
        f"{held.pairs:,} pairs with evidence ({held.copies:,} copies), "
        f"{held.copies_without_evidence:,} copies without evidence.\n"
        f"prior {risk_of(model.prior):.5f}  Brier {held.brier}  log loss {held.log_loss}  "
        f"calibration error {held.expected_calibration_error}  µAP {held.micro_average_precision}"
    )
    for row in held.table:
        print(
            f"  risk {row.low:.1f}-{row.high:.1f}: {row.pairs:5,} pairs, "
            f"mean risk {row.mean_risk:.3f}, share of copies {row.copies:.3f}"
        )
    for term in model.terms:
        curve = "  ".join(f"{k:g}:{v:.2f}" for k, v in zip(term.knots, term.values, strict=True))
        print(f"  {term.measure}: {curve}")


def pictures(options: argparse.Namespace) -> tuple[tuple[Side, Side], dict[str, JsonValue]]:
    """The two sides for pictures, and their description for the file."""
    one, other, real = picture_sides(
        [PHOTOGRAPHS_FOLDER, *(folder for _, folder in options.images)],
        options.generated,
        np.random.default_rng([options.seed, 1]),
    )
    about: dict[str, JsonValue] = {
        "pictures": [
            "the demo's photographs",
            *(name for name, _ in options.images),
            f"{options.generated} generated pictures (training.synthetic)",
        ],
        "real_picture_groups": real,
    }
    return (one, other), about


def main(arguments: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n\n")[0])
    parser.add_argument("--images", nargs="*", type=named_folder, default=[], metavar="[NAME=]DIR")
    parser.add_argument(
        "--texts", nargs="+", type=named_folder, required=True, metavar="[NAME=]DIR"
    )
    parser.add_argument("--generated", type=int, default=160, help="generated pictures")
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument(
        "--only", choices=["image", "script"], help="fit this kind, keep the other of --out"
    )
    options = parser.parse_args(arguments)
    began = time.monotonic()

    fit_kinds = [Kind.IMAGE, Kind.SCRIPT] if options.only is None else [Kind(options.only)]
    sides: dict[Kind, tuple[Side, Side]] = {}
    sources: dict[str, JsonValue] = {}
    if Kind.IMAGE in fit_kinds:
        sides[Kind.IMAGE], about = pictures(options)
        sources |= about
    if Kind.SCRIPT in fit_kinds:
        *texts, files = text_sides(
            [folder for _, folder in options.texts], np.random.default_rng([options.seed, 2])
        )
        sides[Kind.SCRIPT] = (texts[0], texts[1])
        sources |= {"texts": [name for name, _ in options.texts], "text_files": files}
    stages = {kind: create_stages(kind) for kind in fit_kinds}
    kinds = {kind: fit_kind(sides[kind], stages[kind]) for kind in stages}
    weights = {
        stage.name: stage.spec.weights_sha256
        for of_kind in stages.values()
        for stage in of_kind
        if stage.spec.weights_sha256 is not None
    }
    before = Calibration.load(options.out) if options.only is not None else None
    fitted = dict(kinds)
    data: dict[str, JsonValue] = {} if before is None else dict(before.data)
    works, assets = (dict(data.get(name) or {}) for name in ("works", "assets"))  # type: ignore[call-overload]
    for kind, two in sides.items():
        works[kind.value] = {"fitted": len(two[0].works), "held_out": len(two[1].works)}
        assets[kind.value] = {"fitted": len(two[0].assets), "held_out": len(two[1].assets)}
    if before is not None:
        kinds = {kind: kinds.get(kind, model) for kind, model in before.kinds.items()}
        weights = {**before.weights_sha256, **weights}
    calibration = Calibration(
        kinds=kinds,
        weights_sha256=weights,
        data={
            **data,
            "made_by": "benchmarks/calibrate.py",
            "seed": options.seed,
            **sources,
            "copies": "edited pictures (stacks of 0 to 3 of the edits in "
            "training.synthetic) "
            "and "
            "strangers edited the same way; works and strangers that share a mark or a frame; "
            "passages of 10 to 400 words, changed or not, planted into other texts",
            "split": "by group of versions of a work, half to fit, half held out; on each side "
            "half of the groups are registered and the others are strangers",
            "ridge": RIDGE,
            "works": works,
            "assets": assets,
        },
    )
    options.out.parent.mkdir(parents=True, exist_ok=True)
    calibration.save(options.out)
    for kind, model in fitted.items():
        show(kind, model)
    print(f"\nWrote {options.out} in {time.monotonic() - began:.0f} s.")


if __name__ == "__main__":
    main()
