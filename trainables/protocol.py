"""What a number depends on besides the model. Numbers of different protocols must not be ranked together."""

from __future__ import annotations

import hashlib
from typing import Literal

from pydantic import BaseModel, ConfigDict, Field

NEIGHBOURS = 3
"""As Kynkaanniemi et al. have it for precision and recall; there must be more samples."""


class FeatureProtocol(BaseModel):
    """How sets of images are compared by their features."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    extractor: str = "lenet"
    extractor_version: str = ""
    extractor_sha256: str
    batch_norm: Literal["running"] = "running"
    """The statistics in the extractor's BatchNorm layers. Those of a generator are a setting of its method."""
    inception_splits: int = Field(1, ge=1)
    kid_subsets: int = Field(100, ge=1)
    kid_subset_size: int = Field(1000, ge=2, description="or all, where there are fewer")
    neighbours: int = Field(
        NEIGHBOURS, ge=1, description="whose distance is the radius of precision and recall's balls"
    )
    seed: int = Field(0, ge=0, description="picks the real images, subsets, scrambles and resamples")

    @property
    def sha256(self) -> str:
        """The hash under which a run names its protocol."""
        return hashlib.sha256(self.model_dump_json().encode()).hexdigest()


class Protocol(FeatureProtocol):
    """How the images of a method are measured on a data set."""

    dataset: str
    num_samples: int = Field(ge=2, description="generated images, and as many real ones where there are enough")
    reference_split: Literal["train"] = "train"
    num_compared: int = Field(1000, ge=2, description="generated and test images whose pixels are compared at most")
    ood_sets: tuple[str, ...] = ()
    num_scored: int = Field(1000, ge=2, description="test images scored per set for AUROC at most")
    resamples: int = Field(500, ge=1, description="of the bootstrap of the detection metrics' intervals")
