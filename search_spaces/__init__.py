"""The registry of search spaces: a new space is one file in this folder and one line here."""

from search_spaces.ablation import Ablation
from search_spaces.balance import Balance
from search_spaces.depth import Depth
from search_spaces.gradnorm import GradNorm
from search_spaces.space import Claim, FirstTrial, Group, Scale, SearchSpace
from search_spaces.step_ratio import StepRatio
from search_spaces.table51 import Table51, Table51Cifar10
from search_spaces.toy_line import ToyLine
from search_spaces.toy_plane import ToyPlane
from search_spaces.toy_spiral import ToySpiral

SPACES: dict[str, type[SearchSpace]] = {
    space.name: space
    for space in (
        GradNorm,
        Ablation,
        Depth,
        StepRatio,
        Table51,
        Table51Cifar10,
        Balance,
        ToySpiral,
        ToyPlane,
        ToyLine,
    )
}

__all__ = ["SPACES", "Claim", "FirstTrial", "Group", "Scale", "SearchSpace"]
