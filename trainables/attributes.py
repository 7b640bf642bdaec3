"""Arithmetic with codes: what is a difference of codes worth (Radford et al. 2016; Larsen et al. 2015)?

Attributes are measured on images: how slanted and how thick the strokes of a digit are. A difference of codes with more
and with less of an attribute is added to the code of another class. It succeeds if the image keeps its class and gains
at least half of the attribute's difference.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor

OF_A_CONCEPT = 3
"""Codes that are averaged for a concept, as Radford et al. do."""
EXTREME = 0.25
"""The share of a class that has much, and the share that has little, of an attribute."""


def thickness(images: Tensor) -> Tensor:
    """The mean brightness `(n,)`, in [0, 1], of images `(n, C, H, W)` in [-1, 1]."""
    return (images.flatten(1).mean(1) + 1) / 2


def slant(images: Tensor) -> Tensor:
    """How many pixels strokes lean to the right for each pixel upwards `(n,)`, of images `(n, C, H, W)` in [-1, 1].

    It is the regression of the columns on the rows, weighted by brightness: minus the mixed second central moment,
    divided by the vertical one. 0 for an image without brightness or height.
    """
    weights = (images.mean(1) + 1) / 2
    weights = weights / weights.sum((1, 2), keepdim=True).clamp_min(1e-12)
    rows = torch.arange(images.shape[2], dtype=images.dtype, device=images.device).view(1, -1, 1)
    columns = torch.arange(images.shape[3], dtype=images.dtype, device=images.device).view(1, 1, -1)
    rows = rows - (weights * rows).sum((1, 2), keepdim=True)
    columns = columns - (weights * columns).sum((1, 2), keepdim=True)
    mixed, vertical = (weights * rows * columns).sum((1, 2)), (weights * rows.square()).sum((1, 2))
    return -mixed / vertical.clamp_min(1e-12)


def attribute_vector(codes: Tensor, has_it: Tensor) -> Tensor:
    """The mean code of examples with an attribute minus that of examples without: `(latent_dim,)`.

    `codes` are `(n, latent_dim)` and `has_it` is boolean, `(n,)`. Raises `ValueError` where all or none have it.
    """
    if bool(has_it.all()) or not bool(has_it.any()):
        raise ValueError("an attribute vector needs examples with the attribute and examples without it.")
    return codes[has_it].mean(0) - codes[~has_it].mean(0)


@dataclass(frozen=True)
class Decoded:
    """What codes become: `decode` makes images, `classify` finds the class `(n,)` of images, `measure` an attribute."""

    decode: Callable[[Tensor], Tensor]
    classify: Callable[[Tensor], Tensor]
    measure: Callable[[Tensor], Tensor]


def success_rate(
    codes: Tensor,
    classes: Tensor,
    values: Tensor,
    decoded: Decoded,
    rng: torch.Generator,
    triples: int = 100,
    shuffled: bool = False,
) -> float:
    """The share of triples `much - little + other` that succeed, in [0, 1].

    `codes` `(n, latent_dim)` are of images of these `classes` and attribute `values`, `(n,)`. "Much" and "little" are
    mean codes of one class, from the quarters with the highest and the lowest values; "other" is one of another class
    with a low value. If `shuffled`, "much" and "little" are drawn from their whole class: that is the level of chance.
    Raises `ValueError` where there are not two classes, each with four times `OF_A_CONCEPT` codes.
    """
    labels = [int(label) for label in classes.unique() if (classes == label).sum() >= OF_A_CONCEPT / EXTREME]
    if len(labels) < 2:
        raise ValueError(f"arithmetic needs two classes, each with {round(OF_A_CONCEPT / EXTREME)} codes or more.")
    ranked = {}
    for label in labels:
        members = (classes == label).nonzero().flatten()
        ranked[label] = members[values[members].argsort()]

    def concept(members: Tensor) -> Tensor:
        return codes[members[torch.randperm(len(members), generator=rng)[:OF_A_CONCEPT]]].mean(0)

    found = []
    for _ in range(triples):
        first, second = torch.randperm(len(labels), generator=rng)[:2].tolist()
        same, other = ranked[labels[first]], ranked[labels[second]]
        few = int(len(same) * EXTREME)
        ends = (concept(same[-few:]), concept(same[:few]))
        used = (concept(same), concept(same)) if shuffled else ends
        start = concept(other[: int(len(other) * EXTREME)])
        found.append((torch.stack([*ends, start, used[0] - used[1] + start]), labels[second]))
    images = decoded.decode(torch.cat([stacked for stacked, _ in found]))
    measured = decoded.measure(images).view(triples, 4)
    much, little, before, after = measured.unbind(1)
    wanted = torch.tensor([label for _, label in found], device=images.device)
    kept = decoded.classify(images).view(triples, 4)[:, 3].to(wanted) == wanted
    return float((kept & (after - before > (much - little) / 2)).float().mean())


def class_change_rate(
    codes: Tensor, classes: Tensor, decoded: Decoded, rng: torch.Generator, changes: int = 100, shuffled: bool = False
) -> float:
    """The share of `changes` in which the attribute vector from one class to another makes an image of the other one.

    The vector is added to a code of the first class. If `shuffled`, it is of as many codes of each of two groups that
    were drawn from both classes: that is the level of chance. Raises `ValueError` where there are not two classes.
    """
    labels = [int(label) for label in classes.unique()]
    if len(labels) < 2:
        raise ValueError("a change of class needs codes of two classes.")
    changed, wanted = [], []
    for _ in range(changes):
        before, after = (labels[i] for i in torch.randperm(len(labels), generator=rng)[:2].tolist())
        members = ((classes == before) | (classes == after)).nonzero().flatten()
        is_after = classes[members] == after
        start = members[~is_after][torch.randint(int((~is_after).sum()), (1,), generator=rng)]
        if shuffled:
            is_after = is_after[torch.randperm(len(members), generator=rng)]
        changed.append(codes[start] + attribute_vector(codes[members], is_after))
        wanted.append(after)
    found = decoded.classify(decoded.decode(torch.cat(changed)))
    return float((found == torch.tensor(wanted, device=found.device)).float().mean())
