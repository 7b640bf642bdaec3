"""The other GANs of [Yesilcimen 2022], table 4.3, on one network and one data set: DCGAN, PresGAN and DuelGAN."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any, ClassVar

from search_spaces.claim import SEED, Claim, where
from search_spaces.gan_scales import SCALES, SMALL
from search_spaces.grid import GridSpace, Point
from search_spaces.published import OTHERS
from search_spaces.space import Scale, Suggestion
from trainables.measures.settings import DetectionSettings

DCGAN, PRESGAN, DUELGAN = "DCGAN", "PresGAN", "DuelGAN"
WITHOUT_ENTROPY = "PresGAN, noise without entropy"
PRESGAN_RELEASED = "PresGAN as released"
DUELGAN_RELEASED = "DuelGAN as released"
TWO = "two discriminators"

LATENT = {"latent": "normal", "weight_decay": 0.0}
RATE = {"generator_lr": 1e-3, "discriminator_lr": 1e-3}
"""Found by hand, for few iterations of narrow networks. PresGAN's and DuelGAN's own are for some hundred epochs."""

Model = tuple[str, Mapping[str, Any]]
"""A method and the settings in which it differs from its defaults, besides those of the scale."""

MODELS: dict[str, Model] = {
    DCGAN: ("gan", LATENT),
    WITHOUT_ENTROPY: ("presgan", {"lambda_entropy": 0.0}),
    "PresGAN, entropy 0.0001": ("presgan", {"lambda_entropy": 1e-4}),
    "PresGAN, entropy 0.001": ("presgan", {"lambda_entropy": 1e-3}),
    PRESGAN: ("presgan", {"lambda_entropy": 1e-2}),
    PRESGAN_RELEASED: ("presgan", {"lambda_entropy": 1e-2, "posterior": "as_released"}),
    TWO: ("duelgan", {"duel": "none"}),
    DUELGAN_RELEASED: ("duelgan", {"duel": "as_released"}),
    DUELGAN: ("duelgan", {}),
}

LAPTOP = SCALES["laptop"]
ROUNDS = {"smoke": 4, "laptop": 400, "paper": 60_000}
"""Of MNIST, 60,000 iterations are 64 epochs. DuelGAN's authors train 250 epochs, for PresGAN no number was found."""


def _scale(name: str, fixed: Mapping[str, Any], seeds: int) -> Scale:
    scale = SCALES[name]
    # No score is compared here. The measures of images take what time there is.
    measures = tuple(settings for settings in scale.measures if not isinstance(settings, DetectionSettings))
    return replace(
        scale, rounds=ROUNDS[name], evaluate_every=ROUNDS[name] // 4, measures=measures, seeds=seeds, fixed=fixed
    )


class Rivals(GridSpace):
    """[Yesilcimen 2022], table 4.3: each GAN as its paper has it, and as its authors have released it.

    All have the plain DCGAN of `gan`. The published figures are of other networks, at other sizes of the images, and
    from different sources: what the table ranks is not like for like.
    """

    name = "rivals"
    description = "the other GANs of a published table: DCGAN, PresGAN (entropy), DuelGAN (two discriminators)"
    methods = ("gan", "presgan", "duelgan")
    scales: ClassVar[Mapping[str, Scale]] = {
        "smoke": _scale("smoke", {**SCALES["smoke"].fixed, "latent_dim": 4}, seeds=1),
        "laptop": _scale("laptop", {**SMALL, "latent_dim": 16}, seeds=3),
        "paper": _scale("paper", {"generator": "dcgan", "discriminator": "dcgan"}, seeds=5),
    }
    grid: ClassVar = {"model": tuple(MODELS)}

    def suggestion(self, point: Point) -> Suggestion:
        method, settings = MODELS[point["model"]]
        rates = {} if self.scale_name == "paper" else RATE
        length = {"duel_rounds": self.scale.rounds} if method == "duelgan" else {}
        return Suggestion({**rates, **length, **settings}, method=method)

    def point_name(self, point: Point) -> str:
        return str(point["model"])

    def published(self, point: Point) -> Mapping[str, float]:
        fid = OTHERS.get(point["model"])
        return {} if fid is None else {"fid_inception_best": fid}

    def claims(self) -> list[Claim]:
        table = "[Yesilcimen 2022], table 4.3"
        code = f"{table}, and the code that its authors have released"
        pairs = [
            ("DuelGAN's Frechet distance is lower than the DCGAN's.", table, DUELGAN, DCGAN),
            ("The DCGAN's Frechet distance is lower than PresGAN's.", table, DCGAN, PRESGAN),
            ("Two discriminators have a lower Frechet distance with a duel than without.", code, DUELGAN, TWO),
            (
                "PresGAN has a lower Frechet distance with chains that follow the posterior than as released.",
                code,
                PRESGAN,
                PRESGAN_RELEASED,
            ),
        ]
        claims = [
            Claim(text, source, "fid_best", where(model=lower), where(model=higher), paired_by=(SEED,))
            for text, source, lower, higher in pairs
        ]
        recall = Claim(
            "PresGAN's entropy raises the recall of a GAN with noise.",
            "[Yesilcimen 2022], table 4.3, and what PresGAN's authors built it for",
            "recall_best",
            where(model=WITHOUT_ENTROPY),
            where(model=PRESGAN),
            paired_by=(SEED,),
        )
        return [*claims, recall]
