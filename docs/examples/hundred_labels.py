"""A part of the space `labels` as a space of one's own: feature matching with 100 labels, over twice as many draws.

python -m study.launch --space docs/examples/hundred_labels.py:HundredLabels --rounds 9000
"""

from collections.abc import Mapping
from dataclasses import replace
from typing import ClassVar

from search_spaces.claim import Claim
from search_spaces.labels import DRAWS, Labels, Tried
from search_spaces.space import Scale
from trainables.measures.settings import ClassificationSettings

NUMBER = 100
LAPTOP = replace(
    Labels.scales["laptop"],
    dataset="mnist5k",
    measures=(ClassificationSettings(labels=(NUMBER,), draws=DRAWS),),
)


class HundredLabels(Labels):
    """Salimans et al. 2016, section 6.1, with 100 labels."""

    name = "hundred_labels"
    description = "feature matching with 100 labels of MNIST, ten draws of the labels"
    scales: ClassVar[Mapping[str, Scale]] = {"laptop": LAPTOP}
    tried: ClassVar[Mapping[str, Tried]] = {"laptop": ((NUMBER,), DRAWS)}
    grid: ClassVar = {**Labels.grid, "method": ("feature matching",)}

    def claims(self) -> list[Claim]:
        """None: there is nothing here to compare with."""
        return []
