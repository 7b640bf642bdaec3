"""The settings of `discriminator_only`: the document's, and others that energy-based models are trained with.

Where other papers are cited, the setting is off by default, so that the document's algorithm is exact.
"""

from __future__ import annotations

from typing import Any, Literal, Self

from pydantic import Field, model_validator

from trainables import losses
from trainables.methods.base import MethodConfig


class DiscriminatorOnlyConfig(MethodConfig):
    """The defaults are the document's settings for MNIST (section 4.2.4) with "all three" terms."""

    width: float = Field(1.0, gt=0, le=4, description="multiplies the sizes of the discriminator's layers")
    spectral_norm: bool = Field(
        False, description="divides each layer's weights by their spectral norm (Miyato et al. 2018)"
    )
    batch_size: int = Field(128, ge=2, le=4096)
    initial_epochs: int = Field(10, ge=0, description="epochs of real against scrambled images")
    max_strip: float = Field(0.5, gt=0, le=1, description="widest strip of a scrambled image, as a share of its width")

    start: Literal["noise", "earlier"] = Field(
        "noise", description="where generation starts: from noise, or mostly from earlier images (Tieleman 2008)"
    )
    earlier_share: float = Field(
        0.95, ge=0, le=1, description="share of a batch that starts from earlier images (Du and Mordatch 2019)"
    )
    earlier_noise: float = Field(
        0.0, ge=0, description="deviation of the noise added to earlier images (Du and Mordatch 2019)"
    )
    buffer_size: int = Field(2000, ge=1, description="earlier images that are kept, the newest")
    image_lr: float = Field(0.01, gt=0, le=10, description="Adam on the images")
    max_updates: int = Field(500, ge=1, description="most updates of a batch of images")
    update_noise: float = Field(
        0.0, ge=0, description="deviation of the noise added to images after each update (Welling and Teh 2011)"
    )
    clip_images: bool = Field(
        False, description="after each update, pixels are kept in the range of the data (Du and Mordatch 2019)"
    )
    sample_updates: int = Field(
        0, ge=0, description="updates of new images from noise, after training; 0: they are made as in training"
    )
    ema_decay: float = Field(
        0.0,
        ge=0,
        lt=1,
        description="decay of an averaged discriminator for new images (Du et al. 2021); 0: off",
    )
    lambda_stat: float = Field(100.0, ge=0, description="weight of the data set's statistics (eq. 3.4)")
    lambda_tv: float = Field(1e-3, ge=0, description="weight of the total variation (eq. 3.2)")

    discriminator_lr: float = Field(1e-4, gt=0, le=1, description="Adam, initial training and fine-tuning")
    discriminator_updates: int = Field(1, ge=1, le=100, description="updates of the discriminator in a round")
    decay_rounds: int = Field(
        0, ge=0, description="rounds in which discriminator_lr falls linearly to a twentieth, where it stays; 0: off"
    )
    lambda_gnorm: float = Field(50.0, ge=0, description="weight of the gradient norm (eq. 3.6)")
    gradient_penalty: Literal["norm", "r1"] = Field(
        "norm", description="what lambda_gnorm weights: eq. 3.6, or half the squared norm (Mescheder et al. 2018)"
    )
    gradient_norm_reading: losses.GradientNormReading = "per_image"
    lambda_ce: float = Field(1e-4, ge=0, description="weight of the cross-entropy (eq. 3.7)")
    fakes: Literal["pool", "recent", "just_made"] = Field(
        "pool",
        description="fakes in fine-tuning: draws from the best-scored or from the newest images, or the round's own",
    )
    pool_size: float = Field(3.0, gt=0, description="fakes to draw from, as a multiple of the training set's size")
    pool_slack: float = Field(0.0, ge=0, description="share by which the pool may outgrow its size before it is cut")
    fake_batches: int = Field(3, ge=1, description="batches of fakes per real batch in fine-tuning, if they are drawn")

    @classmethod
    def tiny(cls, **settings: Any) -> Self:
        small = {"width": 1 / 64, "batch_size": 16, "initial_epochs": 1, "max_updates": 3, "pool_size": 0.7}
        return cls(**{**small, "discriminator_lr": 1e-3, **settings})

    @model_validator(mode="after")
    def _settings_go_together(self) -> DiscriminatorOnlyConfig:
        if self.start == "earlier" and self.earlier_share == 0:
            raise ValueError(
                "earlier_share is 0, so no image would start from an earlier one: raise it, or set start to 'noise'"
            )
        if self.start == "earlier" and self.buffer_size < self.batch_size:
            raise ValueError(
                f"buffer_size {self.buffer_size} is less than a batch: set it to {self.batch_size} or more"
            )
        if self.gradient_penalty == "r1" and self.gradient_norm_reading != "per_image":
            raise ValueError("gradient_norm_reading is of the norm: leave it out, or set gradient_penalty to 'norm'")
        return self
