"""GANs on digits as vectors, one digit at a time: the output of the generator, and the depth of the discriminator."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any, ClassVar

from search_spaces.claim import SEED, Claim, where
from search_spaces.grid import GridSpace, Point
from search_spaces.space import Scale, Suggestion
from trainables.measures.settings import FidelitySettings, SharpnessSettings

WHOLE = {"smoke": "digits", "laptop": "mnist5k", "paper": "mnist"}
"""The data set of which each trial has one digit."""
PIXELS = {"smoke": 64, "laptop": 784, "paper": 784}

OUTPUTS = {"tanh": "mlp_tanh", "linear": "mlp"}
WITH_OUTPUT, HIDDEN = "layers", "hidden layers"
"""The report says "3-layer" and "4-layer", and later "number of hidden layers in D from 3 to 4"."""

# The report has 50 units, batches of 50, and as many latents in [-1, 1] as pixels. It does not give a learning rate nor
# initial weights: these were found by hand.
SETTINGS = {
    "discriminator": "mlp",
    "batch_norm": "none",
    "batch_size": 50,
    "generator_lr": 3e-3,
    "discriminator_lr": 3e-3,
    "init_std": 0.05,
    "weight_decay": 0.0,
}
MEASURES = (
    FidelitySettings(num_samples=256),
    FidelitySettings(num_samples=256, features="efficientnet", beside_another=True),
    SharpnessSettings(),
)
LAPTOP = Scale(
    "mnist5k:0",
    rounds=800,  # 100 epochs of 400 images
    evaluate_every=400,
    measures=MEASURES,
    fixed=SETTINGS | {"latent_dim": PIXELS["laptop"]},
)


class VectorDigits(GridSpace):
    """[Tabak 2016], section 3.2."""

    name = "vector_digits"
    description = "GANs on digits as vectors, one digit at a time: tanh or linear output, depth of the discriminator"
    method = "gan"
    scales: ClassVar[Mapping[str, Scale]] = {
        "smoke": replace(
            LAPTOP,
            dataset="digits:0",
            rounds=4,
            evaluate_every=2,
            measures=(FidelitySettings(num_samples=32), SharpnessSettings(num_samples=32)),
            fixed=SETTINGS | {"latent_dim": PIXELS["smoke"]},
        ),
        "laptop": LAPTOP,
        # A digit of MNIST has 5,421 to 6,742 images, so this is 89 to 111 epochs.
        "paper": replace(
            LAPTOP,
            dataset="mnist:0",
            rounds=12_000,
            evaluate_every=1_200,
            measures=(FidelitySettings(num_samples=1000), SharpnessSettings()),
            seeds=5,
        ),
    }
    grid: ClassVar = {"digit": range(10), "output": tuple(OUTPUTS), "counted": (WITH_OUTPUT, HIDDEN), "layers": (3, 4)}

    def __init__(self, scale_name: str, scale: Scale | None = None) -> None:
        super().__init__(scale_name, scale)
        self.datasets = tuple(self._dataset(digit) for digit in self.grid["digit"])

    def _dataset(self, digit: Any) -> str:
        return f"{WHOLE[self.scale_name]}:{digit}"

    def suggestion(self, point: Point) -> Suggestion:
        """The depths are hidden layers: one fewer than layers, where the output counts as one."""
        output = 1 if point["counted"] == WITH_OUTPUT else 0
        depths = {"generator_depth": 2 - output, "discriminator_depth": point["layers"] - output}
        return Suggestion({"generator": OUTPUTS[point["output"]], **depths}, self._dataset(point["digit"]))

    def point_name(self, point: Point) -> str:
        return f"{point['digit']}: {point['output']} output, D of {point['layers']} {point['counted']}"

    def claims(self) -> list[Claim]:
        source = "[Tabak 2016], section 3.2"
        claims = [
            Claim(
                "Digits have more contrast with a tanh output of the generator than with a linear one.",
                source,
                "contrast",
                lower=where(output="linear"),
                higher=where(output="tanh"),
                paired_by=("digit", "counted", "layers", SEED),
            )
        ]
        # The report compares them with a linear output.
        return claims + [
            Claim(
                f"Digits are more blurred with a discriminator of four {counted} than of three.",
                source,
                "blur",
                lower=where(output="linear", counted=counted, layers=3),
                higher=where(output="linear", counted=counted, layers=4),
                paired_by=("digit", SEED),
            )
            for counted in (WITH_OUTPUT, HIDDEN)
        ]
