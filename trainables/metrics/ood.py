"""How well a score tells in-distribution from out-of-distribution images.

A higher score means more in-distribution, throughout. The in-distribution images are the positive class, except where a
name ends with `out`.
"""

from __future__ import annotations

import numpy as np

from trainables.metrics.intervals import Interval, auroc_interval, freedom, logit_interval, normal_quantile

RECALL = 0.95
"""The share of the positive class that is found where the false positive rate is taken."""

ROUNDING = 1e-9
"""Differences below it are rounding errors."""

COUNTS_HELD = 2_000_000
"""How many counts, one for each resample and level of the score, are in memory at once."""


def auroc(in_distribution_scores: np.ndarray, out_of_distribution_scores: np.ndarray) -> float:
    """Area under the ROC curve, in [0, 1], with the in-distribution images as the positive class.

    It is the probability that a random in-distribution image scores higher than a random other one, with ties
    counted half (Hanley and McNeil 1982): 1 is perfect, 0.5 is chance. It is computed like this because
    scikit-learn would cost every trial process 70 MB.

    Scores are `(n,)` and `(m,)`, higher = more in-distribution. Raises `ValueError` if one of them is empty
    or not finite.
    """
    of_known, _ = placements(in_distribution_scores, out_of_distribution_scores)
    return float(of_known.mean())


def placements(
    in_distribution_scores: np.ndarray, out_of_distribution_scores: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """For each image, the share of the other set that is on the right side of it; ties count half.

    The shares are `(n,)` and `(m,)`; the mean of either is `auroc`. Raises `ValueError` as `auroc` does.
    """
    _check("in-distribution", in_distribution_scores)
    _check("out-of-distribution", out_of_distribution_scores)
    of_known = _share_below(in_distribution_scores, out_of_distribution_scores)
    return of_known, 1 - _share_below(out_of_distribution_scores, in_distribution_scores)


def _share_below(scores: np.ndarray, others: np.ndarray) -> np.ndarray:
    others = np.sort(others)
    below = np.searchsorted(others, scores, side="left")
    below_or_equal = np.searchsorted(others, scores, side="right")
    return (below + below_or_equal) / (2 * len(others))


def detection(
    in_distribution_scores: np.ndarray,
    out_of_distribution_scores: np.ndarray,
    resamples: int = 500,
    confidence: float = 0.95,
    seed: int = 0,
) -> dict[str, Interval]:
    """Detection metrics of scores `(n,)` and `(m,)`, each with its confidence interval.

    "auroc" is `auroc`. "aupr_in" and "aupr_out" are average precisions (the sum of precision over steps of recall, as
    in scikit-learn) of finding the in-distribution and the out-of-distribution images.

    "fpr95" is the smallest share of out-of-distribution images accepted by a threshold that accepts `RECALL` of the
    others: the in-distribution images are the positive class, as in ODIN (Liang et al. 2018, arXiv:1706.02690).
    "fpr95_out" is the smallest share of in-distribution images rejected by a threshold that rejects `RECALL` of the
    others: the out-of-distribution images are the positive class, as in OpenOOD 1.5 (Zhang et al. 2023,
    arXiv:2306.09301). Papers call either "FPR@95".

    An interval covers the choice of images, not the training seed, and always contains the value. "auroc" has
    `auroc_interval`. The others have bootstrap intervals, for which both sets are resampled (Efron 1979): "fpr95" and
    "fpr95_out" by percentiles, average precision by a `logit_interval` with the deviation of the resamples. (Near 1,
    percentiles of average precision cover too rarely: at 0.998 with 200 images each 86% instead of 95%. The logit
    interval covers 93% with 100 images and an AUROC of 0.84, and more near 1.) Where resamples say nothing, because
    the value is 0 or 1 or all of them agree, an interval ends where the images that `_with_unseen` adds would take it.

    Raises `ValueError` if one of the sets is empty or not finite.
    """
    placed = placements(in_distribution_scores, out_of_distribution_scores)
    known, others, num_levels = _levels(in_distribution_scores, out_of_distribution_scores)
    counts = _counts(known[None], num_levels), _counts(others[None], num_levels)
    observed, unseen = _metrics(*counts), _metrics(*_with_unseen(*counts, confidence))
    resampled = _resampled(known, others, num_levels, resamples, seed)
    found = {"auroc": auroc_interval(*placed, confidence)}
    for name, (value,) in observed.items():
        of_error = freedom(*placed) if name.startswith("aupr") else None
        found[name] = _interval(float(value), resampled[name], unseen[name], confidence, of_error)
    return found


def _levels(known: np.ndarray, others: np.ndarray) -> tuple[np.ndarray, np.ndarray, int]:
    """The rank of each score among the distinct scores, `(n,)` and `(m,)`, 0 for the highest; and their number."""
    levels, level_of = np.unique(-np.concatenate([known, others]), return_inverse=True)
    level_of = level_of.reshape(-1)
    return level_of[: len(known)], level_of[len(known) :], len(levels)


def _counts(levels: np.ndarray, num_levels: int) -> np.ndarray:
    """How many of the images in each row `(b, n)` are at each level: `(b, num_levels)`."""
    flat = levels + num_levels * np.arange(len(levels))[:, None]
    counts = np.bincount(flat.ravel(), minlength=len(levels) * num_levels)
    return counts.reshape(-1, num_levels).astype(np.float64)


def _with_unseen(known: np.ndarray, others: np.ndarray, confidence: float) -> tuple[np.ndarray, np.ndarray]:
    """Counts `(1, levels)` with a few more images of one set, above or below all that were seen: `(4, levels + 2)`.

    So many images may well be missing from a set of this size: 3.84 for a confidence of 0.95. For plain shares of 0
    and 1 this gives the ends of `wilson`.
    """
    more = normal_quantile(confidence) ** 2
    known, others = (np.pad(counts, ((0, 0), (1, 1))).repeat(4, axis=0) for counts in (known, others))
    known[0, 0] = known[1, -1] = others[2, 0] = others[3, -1] = more
    return known, others


def _resampled(
    known: np.ndarray, others: np.ndarray, num_levels: int, resamples: int, seed: int
) -> dict[str, np.ndarray]:
    """Each metric of `resamples` sets of images drawn from those seen, with replacement: `(resamples,)`."""
    rng = np.random.default_rng(seed)
    of_known, of_others = (
        levels[rng.integers(len(levels), size=(resamples, len(levels)))] for levels in (known, others)
    )
    rows = max(1, COUNTS_HELD // num_levels)
    chunks = [
        _metrics(
            _counts(of_known[start : start + rows], num_levels), _counts(of_others[start : start + rows], num_levels)
        )
        for start in range(0, resamples, rows)
    ]
    return {name: np.concatenate([chunk[name] for chunk in chunks]) for name in chunks[0]}


def _metrics(known: np.ndarray, others: np.ndarray) -> dict[str, np.ndarray]:
    """Each metric, `(b,)`, of counts `(b, levels)`, the highest score first."""
    from_below = known[:, ::-1], others[:, ::-1]
    return {
        "aupr_in": _average_precision(known, others),
        "aupr_out": _average_precision(*from_below[::-1]),
        "fpr95": _false_positive_rate(known, others),
        "fpr95_out": _false_positive_rate(*from_below[::-1]),
    }


def _average_precision(positive: np.ndarray, negative: np.ndarray) -> np.ndarray:
    """`(b,)`, of counts `(b, levels)`; the first level is the first to be called positive."""
    found, wrong = positive.cumsum(axis=1), negative.cumsum(axis=1)
    precision = found / np.maximum(found + wrong, 1.0)
    return (positive * precision).sum(axis=1) / positive.sum(axis=1)


def _false_positive_rate(positive: np.ndarray, negative: np.ndarray) -> np.ndarray:
    """`(b,)`, of counts `(b, levels)`; the first level is the first to be called positive."""
    found, wrong = positive.cumsum(axis=1), negative.cumsum(axis=1)
    # The first level that reaches the recall; a rounding error must not ask for one image more.
    at = (found >= (RECALL - 1e-9) * found[:, -1:]).argmax(axis=1)
    return wrong[np.arange(len(wrong)), at] / wrong[:, -1]


def _interval(
    observed: float, resampled: np.ndarray, unseen: np.ndarray, confidence: float, freedom: float | None
) -> Interval:
    """The percentiles of the resamples; with `freedom`, the logit interval that follows from their deviation."""
    # Average precision is biased by the ties of a resample: near 0 and 1 all of them may be on one side.
    low, high = np.quantile(resampled, [(1 - confidence) / 2, (1 + confidence) / 2])
    low, high = min(observed, float(low)), max(observed, float(high))
    lowest, highest = min(low, float(unseen.min())), max(high, float(unseen.max()))
    if observed in (0.0, 1.0) or np.ptp(resampled) < ROUNDING:
        return Interval(observed, lowest, highest)
    if freedom is None:
        return Interval(observed, low, high)
    # With few degrees of freedom the logit interval may go further than unseen images could take the value.
    low, high = logit_interval(observed, float(resampled.std()), freedom, confidence)
    return Interval(observed, max(low, lowest), min(high, highest))


def _check(kind: str, scores: np.ndarray) -> None:
    if scores.ndim != 1 or len(scores) == 0:
        raise ValueError(f"{kind} scores must be a non-empty (n,), not {scores.shape}.")
    if not np.isfinite(scores).all():
        raise ValueError(f"{kind} scores contain NaN or infinity.")
