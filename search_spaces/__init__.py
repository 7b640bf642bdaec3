"""The registry of search spaces: a new space is one file in this folder and one line here."""

from search_spaces.ablation import Ablation
from search_spaces.gradnorm import GradNorm
from search_spaces.space import FirstTrial, Scale, SearchSpace

SPACES: dict[str, type[SearchSpace]] = {space.name: space for space in (GradNorm, Ablation)}

__all__ = ["SPACES", "FirstTrial", "Scale", "SearchSpace"]
