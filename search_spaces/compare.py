"""Every generator of the project on one data set, at equal compute, under one protocol.

The rounds of the arms cost unequally much, so each arm has a pace: its rounds for each round of the arm with the
discriminator alone, as `python -m benchmarks arms` measures them. `seconds_cpu` says what each arm has spent: read it
before the Frechet distances. Settings are those with which the spaces of the arms start at this scale; no arm is
searched here.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any, ClassVar

from search_spaces import gan_scales
from search_spaces.claim import SEED, Claim, where
from search_spaces.found import ON_DIGITS, PUBLISHED_SETTINGS, SMALLEST
from search_spaces.grid import GridSpace, Point
from search_spaces.image_measures import BESIDE_CLASSIFIER
from search_spaces.published import TABLE_4_3
from search_spaces.space import Scale, Suggestion
from trainables.measures.base import MeasureSettings
from trainables.measures.settings import DetectionSettings, FidelitySettings, PixelsSettings


@dataclass(frozen=True)
class Arm:
    """A method with settings, its pace, and the row of [Yesilcimen 2022], table 4.3, that is about this system."""

    method: str
    settings: Mapping[str, Any]
    pace: float
    row: str | None = None
    tiny: Mapping[str, Any] = field(default_factory=dict)
    """What the smoke scale changes."""
    paper: Mapping[str, Any] = field(default_factory=dict)
    """The settings at the paper scale: what differs from the method's defaults."""


PUBLISHED = {**PUBLISHED_SETTINGS, **{name: ON_DIGITS[name] for name in ("width", "batch_size", "initial_epochs")}}

RATE = gan_scales.RATES["laptop"]
GAN = {**gan_scales.SMALL, "generator_lr": RATE, "discriminator_lr": RATE}
DEEP = {"generator_depth": 1, "discriminator_depth": 1}
NORMAL = {"latent": "normal", "weight_decay": 0.0}
# Its discriminator begins with 16 maps, those of the other GANs with 64: at full width it is as wide as theirs here.
UPSAMPLING = {"generator": "dcgan_upsampling", "discriminator": "dcgan_upsampling", "discriminator_width": 1.0}
DCGAN = {**GAN, **NORMAL, **UPSAMPLING}
NARROW = {"generator_width": 1 / 16, "discriminator_width": 1 / 16}

BORDERED = {"generator": "dcgan_upsampling_32", "discriminator": "dcgan_upsampling_32"}

ALONE = "discriminator alone"

ARMS: dict[str, Arm] = {
    ALONE: Arm("discriminator_only", ON_DIGITS, 1.0, tiny=SMALLEST, paper={"fakes": "just_made", "start": "earlier"}),
    "discriminator alone, as published": Arm("discriminator_only", PUBLISHED, 0.57, "Our method", SMALLEST),
    "GAN M0_B": Arm("gan", GAN, 3.8, tiny=NARROW),
    "GAN M1_B": Arm("gan", {**GAN, **DEEP}, 2.6, tiny=NARROW, paper=DEEP),
    "DCGAN": Arm("gan", DCGAN, 2.9, "DCGAN", NARROW, {**NORMAL, **BORDERED}),
    "PresGAN": Arm("presgan", {**GAN, **NORMAL, "latent_dim": 16, "lambda_entropy": 1e-3}, 0.48, "PresGAN", NARROW),
    "DuelGAN": Arm("duelgan", {**GAN, **NORMAL, "latent_dim": 16}, 2.3, "DuelGAN", NARROW),
    "VAE": Arm("vae", {"latent_dim": 8, "hidden_units": 200}, 8.9, tiny={"hidden_units": 8}),
    "VAE/GAN": Arm("vae_gan", {"lr": 1e-3}, 1.5, tiny={"width": 1 / 16}),
    "flow": Arm("flow", {"ema_decay": 0.98, "warmup_rounds": 20}, 0.32, tiny={"maps": (4, 8)}, paper={"width": 2.0}),
}


def _measures(num_samples: int, *beside: MeasureSettings) -> tuple[MeasureSettings, ...]:
    # A flow has no score.
    return (FidelitySettings(num_samples=num_samples), *beside, PixelsSettings(), DetectionSettings(optional=True))


INCEPTION = FidelitySettings(num_samples=10_000, features="inception")


ROUNDS = {"smoke": 2, "laptop": 1000, "paper": 18_760}
"""Of the arm with the discriminator alone."""

LAPTOP = Scale(
    "digits", rounds=ROUNDS["laptop"], evaluate_every=250, measures=_measures(1024, BESIDE_CLASSIFIER), seeds=5
)


class Compare(GridSpace):
    """[Yesilcimen 2022], table 4.3, with networks that all train on the same data for the same time."""

    name = "compare"
    description = "every generator of the project at equal compute, on one data set"
    methods = tuple(dict.fromkeys(arm.method for arm in ARMS.values()))
    scales: ClassVar[Mapping[str, Scale]] = {
        "smoke": Scale("digits", rounds=ROUNDS["smoke"], evaluate_every=2, measures=_measures(128)),
        "laptop": LAPTOP,
        # Equal batches, not equal seconds: no pace was measured on a GPU.
        "paper": replace(
            LAPTOP,
            dataset="mnist",
            rounds=ROUNDS["paper"],
            evaluate_every=938,
            measures=(INCEPTION, *_measures(1024)[1:]),
            gpus_per_trial=1.0,
        ),
    }
    grid: ClassVar = {"arm": tuple(ARMS)}

    def suggestion(self, point: Point) -> Suggestion:
        arm = ARMS[point["arm"]]
        settings = {
            "smoke": {**arm.settings, **arm.tiny},
            "laptop": arm.settings,
            "paper": arm.paper,
        }[self.scale_name]
        pace = 1.0 if self.scale_name == "paper" else arm.pace
        rounds = max(1, round(ROUNDS[self.scale_name] * pace))
        length = {"flow": {"decay_rounds": rounds}, "duelgan": {"duel_rounds": rounds}}.get(arm.method, {})
        return Suggestion({**settings, **length}, method=arm.method, pace=pace)

    def point_name(self, point: Point) -> str:
        return str(point["arm"])

    def published(self, point: Point) -> Mapping[str, float]:
        """The row of table 4.3. Networks, sizes of images and sources of its rows differ: it is no ranking."""
        row = ARMS[point["arm"]].row
        return {} if row is None else {"fid_inception_best": TABLE_4_3[row][0], "parameters": TABLE_4_3[row][1]}

    def claims(self) -> list[Claim]:
        source = "[Yesilcimen 2022], table 4.3"
        alone = where(arm=ALONE)
        pairs = [
            ("DCGAN", "The DCGAN has a lower Frechet distance than the discriminator alone, at equal compute."),
            ("DuelGAN", "DuelGAN has a lower Frechet distance than the discriminator alone, at equal compute."),
        ]
        claims = [Claim(text, source, "fid_best", where(arm=arm), alone, paired_by=(SEED,)) for arm, text in pairs]
        text = "The discriminator alone has a lower Frechet distance than PresGAN, at equal compute."
        return [*claims, Claim(text, source, "fid_best", alone, where(arm="PresGAN"), paired_by=(SEED,))]
