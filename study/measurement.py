"""What a study measures: the protocols of its data sets, and the objectives and claims by full names of metrics."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

from search_spaces.claim import Claim, check_claim
from search_spaces.space import SearchSpace
from study.config import StudyConfig
from trainables.data.sources import parent_of, source_of
from trainables.errors import InputError, lookup
from trainables.measures.base import MeasureSettings
from trainables.measures.settings import RESAMPLED, SCRAMBLED, DetectionSettings, FeatureSettings, FidelitySettings
from trainables.protocol import AT_BEST, BEST, BEST_ROUND, Protocol, base_name

BOOKKEEPING = (
    BEST_ROUND,
    "movement",
    "memory_mb",
    "evaluation_share",
    "images_per_second",
    "seconds_training",
    "seconds_evaluation",
    "seconds_saving",
    "seconds_cpu",
    "parameters",
)
"""What every training reports of itself (`trainables.training`)."""


def make_protocols(config: StudyConfig, space: SearchSpace, datasets: Sequence[str]) -> dict[str, Protocol]:
    """The protocol of each data set, as far as it is known before anything is prepared.

    Raises `InputError` for a data set that cannot be measured like this, and for options of measures that the space
    does not have.
    """
    measures = _with_features(config, space, space.scale.measures)
    measures = _with_ood_sets(config, space, measures, datasets)
    for dataset in datasets:
        for settings in measures:
            settings.check(dataset)
    return {dataset: Protocol(dataset=dataset, measures=measures) for dataset in datasets}


def make_objectives(asked: Sequence[str], protocols: Mapping[str, Protocol]) -> tuple[str, ...]:
    """The objectives by their full names.

    All are read from one set of weights, the best by the first objective: so `auroc_best` as a further objective is
    read as `auroc_at_best`. Raises `InputError`, with the nearest names, for a metric that not every trial reports.
    """
    names = dict.fromkeys(ranked_metrics(protocols))
    objectives: list[str] = []
    for name in asked:
        # The first objective has no `_at_best`: it decides which evaluation is the best.
        lookup("objective", base_name(name) + BEST if objectives and name.endswith(AT_BEST) else name, names)
        full = next(iter(protocols.values())).full_name(name)
        objectives.append(base_name(full) + AT_BEST if objectives and full.endswith(BEST) else full)
    if len({base_name(name) for name in objectives}) < len(objectives):
        raise InputError(f"--objectives {' '.join(asked)}: a metric is named twice, leave one of them out.")
    return tuple(objectives)


def ranked_metrics(protocols: Mapping[str, Protocol]) -> list[str]:
    """What every trial reports, and more or less of is better: metrics, by name and by family, and their best."""
    measured = [protocol.metrics() for protocol in protocols.values()]
    known = [n for n, m in measured[0].items() if m.target is None and all(n in others for others in measured)]
    families = {short for protocol in protocols.values() for s in protocol.measures for short in s.families()}
    return [name + ending for ending in ("", BEST) for name in (*known, *sorted(families))]


def make_claims(space: SearchSpace, protocols: Mapping[str, Protocol]) -> list[Claim]:
    """The document's claims, with the full names of their metrics.

    Raises `InputError` for a claim that the trials of the space cannot decide.
    """
    claims = space.claims()
    if not claims:
        return []
    from study.trial_specs import points_of  # here: what it imports takes long

    protocol = next(iter(protocols.values()))
    claims = [replace(claim, metric=protocol.full_name(claim.metric)) for claim in claims]
    reported, points = _reported(space, protocols), points_of(space)
    for claim in claims:
        check_claim(claim, points, reported)
    return claims


def _reported(space: SearchSpace, protocols: Mapping[str, Protocol]) -> set[str] | None:
    """The metrics that a trial may report; None where the method does not say."""
    from trainables.methods.base import method_class

    # A subclass may report more than the method that it is made from.
    of_rounds: set[str] = set()
    for method in map(method_class, space.method_names):
        declared = vars(method).get("round_metrics")
        if declared is None:
            return None
        of_rounds |= {*declared, *method.progress_metrics}
    measured = {name for protocol in protocols.values() for name in protocol.metrics()}
    losses = {name for name in of_rounds if name.startswith("loss_")}
    swings = {f"{name}{ending}" for name in losses for ending in ("_swing", "_swing_overall")}
    best = {name + ending for name in measured for ending in (BEST, AT_BEST, RESAMPLED)}
    return measured | best | swings | of_rounds | {*BOOKKEEPING}


def reported_metrics(space: SearchSpace, protocols: Mapping[str, Protocol]) -> set[str]:
    """The metrics that a trial may report, as far as its method says."""
    found = _reported(space, protocols)
    measured = {name for protocol in protocols.values() for name in protocol.metrics()}
    return found or {*measured, *(name + BEST for name in measured), *BOOKKEEPING}


def _with_features(
    config: StudyConfig, space: SearchSpace, measures: tuple[MeasureSettings, ...]
) -> tuple[MeasureSettings, ...]:
    """The measures with the extractor that was asked for, and no other beside it."""
    asked: dict[str, Any] = {"--features": config.features, "--inception-weights": config.inception_weights}
    asked |= {"--inception-sha256": config.inception_sha256}
    said = [flag for flag, value in asked.items() if value is not None]
    if not said:
        return measures
    if not any(isinstance(settings, FeatureSettings) for settings in measures):
        raise InputError(f"{said[0]}: space {space.name!r} measures no features, leave it out.")
    if config.features is not None:
        measures = tuple(s for s in measures if not (isinstance(s, FidelitySettings) and s.beside_another))
    return tuple(
        _featured(config, settings) if isinstance(settings, FeatureSettings) else settings for settings in measures
    )


def _featured(config: StudyConfig, settings: FeatureSettings) -> FeatureSettings:
    features = config.features or settings.features
    if features != "inception" and (config.inception_weights or config.inception_sha256):
        raise InputError(f"--inception-weights and --inception-sha256 are for --features inception, not {features}.")
    changes: dict[str, Any] = {"features": features}
    if isinstance(settings, FidelitySettings):
        changes |= {"inception_weights": config.inception_weights, "inception_sha256": config.inception_sha256}
    return settings.model_copy(update=changes)


def _with_ood_sets(
    config: StudyConfig, space: SearchSpace, measures: tuple[MeasureSettings, ...], datasets: Sequence[str]
) -> tuple[MeasureSettings, ...]:
    """The measures with the out-of-distribution sets that were asked for, which may be downloaded."""
    if config.ood_sets is None:
        return measures
    if not any(isinstance(settings, DetectionSettings) for settings in measures):
        raise InputError(f"--ood-sets: space {space.name!r} tells no images from others, leave it out.")
    for name in config.ood_sets:
        if name != SCRAMBLED:
            source_of(name)
        if name in map(parent_of, datasets):
            raise InputError(f"--ood-sets {name}: that is what is trained on, choose another one.")
    changes = {"ood_sets": config.ood_sets, "download": bool(config.ood_sets)}
    return tuple(
        settings.model_copy(update=changes) if isinstance(settings, DetectionSettings) else settings
        for settings in measures
    )
