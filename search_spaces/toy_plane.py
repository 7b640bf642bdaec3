"""GANs on the plane: depth, BatchNorm in the discriminator, and unequal networks, on two data sets."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any, ClassVar

from search_spaces.claim import Claim, where
from search_spaces.grid import GridSpace, Point
from search_spaces.space import Scale, Suggestion
from trainables.measures.settings import PointsSettings

DATASETS = {"swiss_roll": "the Swiss roll", "eight_gaussians": "8 Gaussians"}

DEPTH = 7
# The slow deep ones come first, so that no core waits for them at the end.
MODELS: dict[str, dict[str, Any]] = {
    "M1_A": {"generator_depth": DEPTH, "discriminator_depth": DEPTH, "batch_norm": "both"},
    "M1_A, BN: G": {"generator_depth": DEPTH, "discriminator_depth": DEPTH, "batch_norm": "generator"},
    "G of M0_A, D of M1_A": {"generator_depth": 0, "discriminator_depth": DEPTH, "batch_norm": "both"},
    "G of M1_A, D of M0_A": {"generator_depth": DEPTH, "discriminator_depth": 0, "batch_norm": "both"},
    "M0_A": {"generator_depth": 0, "discriminator_depth": 0, "batch_norm": "both"},
}
"""The three models of section 5.1 and the two unbalanced pairs of appendix C."""

SETTINGS = {
    "generator": "residual_a",
    "discriminator": "residual_a",
    "latent_dim": 32,
    "init_std": 0.1,
    "generator_lr": 1e-4,
    "discriminator_lr": 1e-4,
}
"""Tables A.1, A.3 and A.4; the other settings are the method's defaults."""

# "100000" between 8,000 and 15,000 is taken to be 10,000.
DOCUMENTED = (100, 1000, 2000, 3000, 4000, 6000, 8000, 10_000, 15_000, 20_000)
"""Iterations after which section 5.1 shows samples."""

LAPTOP = Scale(
    "swiss_roll",
    rounds=20_000,
    evaluate_every=1000,
    evaluate_at=DOCUMENTED,
    measures=(PointsSettings(num_samples=10_000),),
    seeds=3,
    fixed=SETTINGS,
)


class ToyPlane(GridSpace):
    """[Yamazaki 2017], section 5.1 and appendix C."""

    name = "toy_plane"
    description = "GANs on the Swiss roll and 8 Gaussians: depth, BatchNorm, unequal networks"
    method = "gan"
    objectives = ("energy",)
    datasets = tuple(DATASETS)
    scales: ClassVar[Mapping[str, Scale]] = {
        "smoke": Scale(
            "swiss_roll", rounds=4, evaluate_every=2, measures=(PointsSettings(num_samples=200),), fixed=SETTINGS
        ),
        "laptop": LAPTOP,
        # Appendix A.2 has ten times as many iterations as section 5.1.
        "paper": replace(LAPTOP, rounds=200_000, evaluate_every=5000, seeds=5),
    }
    grid: ClassVar = {"model": tuple(MODELS), "dataset": tuple(DATASETS)}

    def suggestion(self, point: Point) -> Suggestion:
        return Suggestion(MODELS[point["model"]], point["dataset"])

    def point_name(self, point: Point) -> str:
        return f"{point['model']}, {point['dataset']}"

    def claims(self) -> list[Claim]:
        return [claim for dataset, name in DATASETS.items() for claim in _claims(dataset, name)]


def _claims(dataset: str, name: str) -> list[Claim]:
    deep, without, strong_d, strong_g, plain = (where(model=model, dataset=dataset) for model in MODELS)
    # Over all rounds: section 5.1.1 sees the oscillation "especially early in training".
    loss, swing, output = "loss_generator", "loss_generator_swing_overall", "output_generated"
    depth = [
        ("the deep model ends closer to the data than the plain one", "energy", deep, plain),
        ("the deep model without BatchNorm in D ends closer to the data than the plain one", "energy", without, plain),
        ("the deep model ends closer to the data without BatchNorm in D than with it", "energy", without, deep),
        ("the generator's loss oscillates more in the deep model than in the plain one", swing, plain, deep),
        ("the deep model's generator loss oscillates less without BatchNorm in D than with it", swing, without, deep),
    ]
    balance = [
        ("a deep D rejects the points of a plain G more surely than a plain D does", output, strong_d, plain),
        ("the loss of a plain G is higher against a deep D than against a plain one", loss, plain, strong_d),
        ("a deep G and a plain D oscillate less than a plain G and a deep D", swing, strong_g, strong_d),
        ("a deep G ends farther from the data with a plain D than with a deep one", "energy", deep, strong_g),
        (
            "a deep G ends farther from the data with a plain D than with a deep one without BatchNorm",
            "energy",
            without,
            strong_g,
        ),
    ]
    rising = [
        ("the generator's loss rises more in the deep model than in the plain one", plain, deep),
        ("the deep model's generator loss rises less without BatchNorm in D than with it", without, deep),
    ]
    faster = f"On {name}, a deep G comes close to the data earlier than a plain one does, both with a plain D."
    moving = (
        f"On {name}, the points of a plain G move more all through the training with a deep D than with a plain one."
    )
    return [
        Claim(f"On {name}, {text}.", f"[Yamazaki 2017], {section}", metric, lower, higher)
        for section, said in (("section 5.1", depth), ("appendix C", balance))
        for text, metric, lower, higher in said
    ] + [
        *(
            Claim(f"On {name}, {text}.", "[Yamazaki 2017], section 5", loss, lower, higher, curve="rise")
            for text, lower, higher in rising
        ),
        Claim(faster, "[Yamazaki 2017], appendix C", "energy", strong_g, plain, curve="early"),
        Claim(moving, "[Yamazaki 2017], appendix C", "movement", plain, strong_d, curve="area"),
    ]
