"""From the options of a study to its plan. Everything is checked, nothing is started or written.

Checks that need torch come last, so that a misspelt name is answered at once.
"""

from __future__ import annotations

import inspect
import os
import re
from collections.abc import Collection, Sequence
from dataclasses import replace
from datetime import datetime
from pathlib import Path
from typing import Any

from search_spaces import SPACES
from search_spaces.space import SearchSpace
from study import outside
from study.config import AUTO, StudyConfig, differing, resumed, started_from
from study.constraints import make_constraints
from study.earlier import Earlier, learn_from
from study.folder import StudyFolder, studies_in
from study.limits import make_limits
from study.measurement import make_claims, make_objectives, make_protocols
from study.nodes.capacity import Resources
from study.outside import OutsideFile
from study.plan import StudyPlan
from study.scheduler_names import check_scheduler, default_scheduler
from study.tracking_uri import ENVIRONMENT, own_file
from trainables.data.sources import full_name, source_of
from trainables.errors import InputError
from trainables.files import absolute
from trainables.registry import resolve

NAME = r"[A-Za-z0-9][A-Za-z0-9._-]{0,99}"
CONFIRMING_SEEDS = 5


def make_plan(config: StudyConfig, said: Collection[str] | None = None) -> StudyPlan:
    """Check `config`; raises `InputError` for the first invalid option.

    `said` are the fields that the command line names, by default those that differ from their default.
    """
    said = differing(config) if said is None else said
    config = _absolute(config)
    _check_name(config.name)
    config = _begun_or_new(config)
    if is_resumed := config.resume not in (None, AUTO):
        folder = StudyFolder(studies_in(config.storage_dir) / str(config.resume))
        if not folder.is_set_up():
            raise InputError(f"there is no study {config.resume!r} to resume in {folder.path.parent}: check --resume.")
        config = resumed(config, said, folder.study_json)
    elif config.from_file is not None:
        config = _from_another(started_from(config, said), config.from_file)
    _check_numbers(config)
    if config.revive is not None and not is_resumed:
        raise InputError("--revive lets trials go on that were stopped early: name their study with --resume.")
    return _confirming(config, is_resumed) if config.confirm else _searching(config, is_resumed)


def _absolute(config: StudyConfig) -> StudyConfig:
    """What `config` means to a process that runs in another folder, or with other variables."""
    changes: dict[str, Any] = {"storage_dir": absolute(config.storage_dir)}
    changes |= {name: absolute(path) for name in ("from_file", "inception_weights") if (path := getattr(config, name))}
    if config.ood_sets is not None:
        changes["ood_sets"] = tuple(dict.fromkeys(map(full_name, config.ood_sets)))
    if config.optuna_storage is not None and "://" not in config.optuna_storage:
        changes["optuna_storage"] = str(absolute(Path(config.optuna_storage)))
    if config.tracking_uri is None:
        changes["tracking_uri"] = os.environ.get(ENVIRONMENT) or None
    if config.dataset is not None:
        changes["dataset"] = full_name(config.dataset)
    if config.space is not None:
        changes["space"] = outside.with_absolute_path(config.space)
    if config.assignments:
        changes["assignments"] = tuple(map(_with_absolute_path, config.assignments))
    return replace(config, **changes)


def _with_absolute_path(assignment: str) -> str:
    """KEY=VALUE, with an absolute path if the value names exported weights, or anything else by a path with folders."""
    key, _, text = assignment.partition("=")
    path = absolute(Path(text))
    is_path = os.sep in text or path.suffix == ".safetensors"
    return f"{key}={path}" if is_path and path.exists() else assignment


def _begun_or_new(config: StudyConfig) -> StudyConfig:
    """What `--resume auto` means: going on with study --name if it has been set up, starting it otherwise."""
    if config.from_file is not None and config.resume not in (None, AUTO):
        raise InputError("--config starts a new study: leave it out with --resume.")
    if config.resume != AUTO:
        return config
    if config.name is None:
        raise InputError("--resume auto goes on with a study, or starts it: name it with --name.")
    is_begun = StudyFolder(studies_in(config.storage_dir) / config.name).is_set_up()
    return replace(config, resume=config.name) if is_begun else config


def _from_another(config: StudyConfig, file: Path) -> StudyConfig:
    """`config`, with a file from outside replaced by the copy that the other study keeps, if there is one."""
    parts = outside.split_name(config.space or "")
    if parts is None:
        return config
    copy = StudyFolder(Path(os.path.abspath(file)).parent).outside / parts[0].name
    return replace(config, space=f"{copy}:{parts[1]}") if copy.is_file() else config


def _searching(config: StudyConfig, is_resumed: bool) -> StudyPlan:
    if config.space is None:
        raise InputError("name a search space with --space; --list shows them.")
    parts = outside.split_name(config.space)
    if parts is None:
        return _with_space(config, is_resumed, _space_class(config.space)(config.scale), None)
    path, class_name = parts
    file = _kept(config) if is_resumed else outside.open_outside(path)
    try:
        space_class = _space_class(f"{file.module}:{class_name}")
    except InputError as error:
        raise InputError(f"--space {config.space}: {error}") from error
    return _with_space(config, is_resumed, space_class(config.scale), file)


def _kept(config: StudyConfig) -> OutsideFile:
    """The file from outside of a study that goes on."""
    folder = StudyFolder(studies_in(config.storage_dir) / str(config.resume))
    record = folder.read()["outside"]
    return outside.open_kept(folder.outside, record["file"], record["sha256"])


def _confirming(config: StudyConfig, is_resumed: bool) -> StudyPlan:
    """The plan that trains the best configurations of study `config.confirm` again."""
    from study.confirmation import confirm_best

    if config.assignments:
        raise InputError("--confirm trains the settings that a study has found: leave out --set.")
    if config.after is not None:
        raise InputError("--confirm searches nothing: leave out --after.")
    where = StudyConfig(storage_dir=config.storage_dir, optuna_storage=config.optuna_storage)
    original = make_plan(replace(where, resume=config.confirm))
    space = confirm_best(original, config.top)
    confirming = replace(
        config,
        dataset=original.config.dataset,
        rounds=config.rounds or original.config.rounds,
        objectives=original.objectives,
        features=original.config.features,
        inception_weights=config.inception_weights or original.config.inception_weights,
        inception_sha256=original.config.inception_sha256,
        ood_sets=original.config.ood_sets,
        precision=config.precision or original.config.precision,
        seeds=config.seeds or CONFIRMING_SEEDS,
        trials=len(space.first_trials()),
    )
    file = original.outside
    return _with_space(confirming, is_resumed, space, _kept(config) if file and is_resumed else file)


def _with_space(config: StudyConfig, is_resumed: bool, space: SearchSpace, file: OutsideFile | None) -> StudyPlan:
    from study.optuna_storage import DATABASES, with_driver
    from study.samplers import check_grid, check_sampler

    datasets = _datasets(config, space)
    protocols = make_protocols(config, space, datasets)
    objectives = make_objectives(config.objectives or space.objectives, protocols)
    scheduler = config.scheduler or default_scheduler(
        len(objectives), every_trial_counts=space.exhaustive or bool(space.claims())
    )
    check_sampler(config.sampler, len(objectives))
    check_scheduler(scheduler, len(objectives))
    kind = "confirm" if config.confirm else space.name
    name = config.name or f"{kind}-{space.scale_name}-{datetime.now():%Y%m%d-%H%M%S}"
    scale, storage = space.scale, config.storage_dir
    folder = StudyFolder(studies_in(storage) / name)
    tracking_uri = with_driver(config.tracking_uri or own_file(storage))
    protocol = protocols[datasets[0]]
    resources = Resources(
        config.cpus_per_trial, scale.gpus_per_trial if config.gpus_per_trial is None else config.gpus_per_trial
    )
    if config.precision in ("tf32", "bf16") and resources.gpus == 0:
        raise InputError(
            f"--precision {config.precision} is for GPUs, and the trials ask for none: leave it out, or say "
            "--gpus-per-trial."
        )
    plan = StudyPlan(
        name=name,
        config=config,
        is_resumed=is_resumed,
        space=space,
        outside=file,
        fixed=_fixed(config, space),
        protocols=protocols,
        objectives=objectives,
        directions=tuple(protocol.direction(objective) for objective in objectives),
        constraints=make_constraints(_constraints(config, space), space, protocols, objectives[0]),
        claims=tuple(make_claims(space, protocols)),
        trials=_num_trials(config, space),
        seeds=config.seeds or scale.seeds,
        budget=config.rounds or scale.rounds,
        evaluated_after=scale.evaluate_every,
        sampler=config.sampler,
        scheduler=scheduler,
        earlier=Earlier(),
        limits=make_limits(config.time_budget, config.gpu_hours, config.until, resources.gpus, protocols),
        resources=resources,
        storage=storage,
        folder=folder,
        cache_dir=storage / "cache",
        optuna_storage=config.optuna_storage or str(folder.journal),
        tracking_uri=tracking_uri,
        artifacts=storage / "mlartifacts" / space.name if tracking_uri.startswith(DATABASES) else None,
    )
    _check_method(plan)
    if plan.sampler == "grid" and not space.exhaustive:
        check_grid(space.suggest)
    return plan if config.after is None or is_resumed else _after(plan, config.after)


def _constraints(config: StudyConfig, space: SearchSpace) -> tuple[str, ...]:
    """What is asked for, else the scale's own, which are about its own data."""
    if config.constraints is not None:
        return config.constraints
    return space.scale.constraints if config.dataset is None and config.ood_sets is None else ()


def _after(plan: StudyPlan, names: str) -> StudyPlan:
    """The plan with what it learns from other studies."""
    from study.trial_specs import check_first

    where = StudyConfig(storage_dir=plan.storage, optuna_storage=plan.config.optuna_storage)
    earlier = learn_from(plan, names.split(","), lambda name: make_plan(replace(where, resume=name)))
    check_first(plan, earlier.first)
    return replace(plan, earlier=earlier)


def _space_class(name: str) -> type[SearchSpace]:
    """The space of this name; raises `InputError` where a space from outside is not complete."""
    space = resolve("space", name, SPACES, SearchSpace)  # type: ignore[type-abstract]
    needed = ("name", "scales") if space.methods else ("name", "method", "scales")
    missing = [each for each in needed if not hasattr(space, each)]
    missing += sorted(space.__abstractmethods__) if inspect.isabstract(space) else []
    if missing:
        raise InputError(f"space {name!r} is not complete: it lacks {', '.join(missing)}.")
    if not re.fullmatch(NAME, space.name):
        raise InputError(f"space {name!r} is called {space.name!r}: use up to 100 letters, digits, '.', '_' and '-'.")
    return space


def _datasets(config: StudyConfig, space: SearchSpace) -> Sequence[str]:
    """The data sets that are trained on; raises `InputError` for an unknown one."""
    if config.dataset is not None and space.datasets and not config.confirm:
        raise InputError(
            f"each trial of space {space.name!r} names its data set: leave out --dataset {config.dataset}."
        )
    datasets = space.datasets or (config.dataset or space.scale.dataset,)
    for name in datasets:
        source_of(name)
    return datasets


def _fixed(config: StudyConfig, space: SearchSpace) -> dict[str, Any]:
    """Settings that all trials share: the scale's, and those that the command line sets."""
    if not config.assignments:
        return dict(space.scale.fixed)
    from study.trial_specs import parse_assignments

    return {**space.scale.fixed, **parse_assignments(config.assignments, space)}


def _check_method(plan: StudyPlan) -> None:
    from study.trial_specs import check_method

    check_method(plan)


def _num_trials(config: StudyConfig, space: SearchSpace) -> int:
    wanted = config.trials or space.num_trials
    return min(wanted, len(space.first_trials())) if space.exhaustive else wanted


def _check_name(name: str | None) -> None:
    if name is not None and not re.fullmatch(NAME, name):
        raise InputError(f"--name {name!r}: use up to 100 letters, digits, '.', '_' and '-'.")
    if name == AUTO:
        raise InputError(f"--name {AUTO} cannot be told from --resume {AUTO}: choose another name.")


def _check_numbers(config: StudyConfig) -> None:
    for flag, value, smallest in (
        ("--trials", config.trials, 1),
        ("--rounds", config.rounds, 1),
        ("--seeds", config.seeds, 1),
        ("--top", config.top, 1),
        ("--revive", config.revive, 1),
        ("--max-concurrent", config.max_concurrent, 1),
        ("--seed", config.seed, 0),
        ("--gpus-per-trial", config.gpus_per_trial, 0),
    ):
        if value is not None and value < smallest:
            raise InputError(f"{flag} is {value}: it must be at least {smallest}.")
    if config.cpus_per_trial <= 0:
        raise InputError(f"--cpus-per-trial is {config.cpus_per_trial}: it must be above 0.")
    if config.gpus_per_trial is not None and config.gpus_per_trial > 1 and config.gpus_per_trial % 1:
        raise InputError(f"--gpus-per-trial is {config.gpus_per_trial}: above 1 it must be a whole number.")
    if config.cluster_grows and (config.address is None or config.max_concurrent is None):
        raise InputError("--cluster-grows is for a cluster with an autoscaler: say --address and --max-concurrent.")
    if config.check and config.address is None:
        raise InputError("--check asks the nodes of a cluster: name it with --address.")
