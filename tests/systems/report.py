"""A study with a known answer, and what its report says."""

from __future__ import annotations

import math

import study

DIVERGED = "loss_discriminator became inf in round 3"


def distance(params, number):
    """The objective of a trial: the lower, the nearer its rates are to 0.1 and 0.003. Two trials fail."""
    if number in (7, 9):
        return DIVERGED
    return 30 + 8 * (math.log10(params["image_lr"]) + 1) ** 2 + (math.log10(params["discriminator_lr"]) + 2.5) ** 2


def loaded(plan):
    """The study of a plan, as MLflow holds it."""
    return study.load(plan.name, storage_dir=plan.storage)


def section(of, part):
    """The blocks of a part of the report on a study, a module; None where the study has nothing for it."""
    found = part.section(of)
    return None if found is None else found.blocks


def table(blocks, caption=""):
    """The rows of the first table whose caption contains `caption`, as dicts; blank column names are numbered."""
    for block in blocks:
        if hasattr(block, "rows") and caption in block.caption:
            return [
                dict(zip([name or str(n) for n, name in enumerate(block.header)], row, strict=True))
                for row in block.rows
            ]
    raise AssertionError(f"no table {caption!r}")
