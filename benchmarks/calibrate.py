"""Makes the calibration: labelled pairs, a fit on one half of the works, its reliability on the
other, and the JSON file that a configuration names.

    python -m benchmarks.calibrate --images NAME=DIR ... --texts NAME=DIR \\
        --out configs/calibration/default.json --seed 1

NAME says in the file what the pictures or texts are (by default, the folder's name). The demo's
photographs and generated pictures are always used. With `--only script` (or `image`) the
other kind's model and what the file says of it stay as they are in the file that is there. What is
made how: docs/risk.md.
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


def calibrated(sides: tuple[Side, Side], stages: Sequence[Stage]) -> KindModel:
    """The model for one kind: fitted on the first side, measured on the second.

    The figures are of the evidence that a run with the default settings has.
    """
    usual = {stage.name: stage.Settings() for stage in stages}
    fitted_on = side_pairs(sides[0], stages, widen_settings(usual))
    return fit_model(fitted_on, side_pairs(sides[1], stages, usual))


def made_stages(kind: Kind) -> list[Stage]:
    """The registered stages of one kind; one whose model can't be had is left out, and said."""
    made = []
    for name, stage in STAGES.items():
        if stage.kind is kind:
            try:
                made.append(stage.create(model="clearance-mini"))
            except ModelError as error:
                print(f"left out {name}: {error}")
    return made


def named(argument: str) -> tuple[str, Path]:
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
            f"  risk {row.low:.1f}-{row.high:.1f}: {row.pairs:5,} pairs, said {row.mean_risk:.3f}, "
            f"were copies {row.copies:.3f}"
        )
    for term in model.terms:
        curve = "  ".join(f"{k:g}:{v:.2f}" for k, v in zip(term.knots, term.values, strict=True))
        print(f"  {term.measure}: {curve}")


def pictures(given: argparse.Namespace) -> tuple[tuple[Side, Side], dict[str, JsonValue]]:
    """The two sides for pictures, and what the file says of them."""
    one, other, real = picture_sides(
        [PHOTOGRAPHS_FOLDER, *(folder for _, folder in given.images)],
        given.generated,
        np.random.default_rng([given.seed, 1]),
    )
    about: dict[str, JsonValue] = {
        "pictures": [
            "the demo's photographs",
            *(name for name, _ in given.images),
            f"{given.generated} generated pictures (training.synthetic)",
        ],
        "real_picture_groups": real,
    }
    return (one, other), about


def main(arguments: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n\n")[0])
    parser.add_argument("--images", nargs="*", type=named, default=[], metavar="[NAME=]DIR")
    parser.add_argument("--texts", nargs="+", type=named, required=True, metavar="[NAME=]DIR")
    parser.add_argument("--generated", type=int, default=160, help="generated pictures")
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument(
        "--only", choices=["image", "script"], help="fit this kind, keep the other of --out"
    )
    given = parser.parse_args(arguments)
    began = time.monotonic()

    wanted = [Kind.IMAGE, Kind.SCRIPT] if given.only is None else [Kind(given.only)]
    sides: dict[Kind, tuple[Side, Side]] = {}
    said: dict[str, JsonValue] = {}
    if Kind.IMAGE in wanted:
        sides[Kind.IMAGE], about = pictures(given)
        said |= about
    if Kind.SCRIPT in wanted:
        *texts, files = text_sides(
            [folder for _, folder in given.texts], np.random.default_rng([given.seed, 2])
        )
        sides[Kind.SCRIPT] = (texts[0], texts[1])
        said |= {"texts": [name for name, _ in given.texts], "text_files": files}
    stages = {kind: made_stages(kind) for kind in wanted}
    kinds = {kind: calibrated(sides[kind], stages[kind]) for kind in stages}
    weights = {
        stage.name: stage.spec.weights_sha256
        for made in stages.values()
        for stage in made
        if stage.spec.weights_sha256 is not None
    }
    before = Calibration.load(given.out) if given.only is not None else None
    shown = dict(kinds)
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
            "seed": given.seed,
            **said,
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
    given.out.parent.mkdir(parents=True, exist_ok=True)
    calibration.save(given.out)
    for kind, model in shown.items():
        show(kind, model)
    print(f"\nWrote {given.out} in {time.monotonic() - began:.0f} s.")


if __name__ == "__main__":
    main()
