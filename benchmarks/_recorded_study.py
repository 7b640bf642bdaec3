"""A study of any size in MLflow, without training: its events, made and delivered as in a real study."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import study  # noqa: F401  sets what MLflow reads when it is imported

# isort: split
import numpy as np
import torch
from optuna.storages import InMemoryStorage

from study import events
from study.config import StudyConfig
from study.folder import check_writable
from study.optuna_storage import ask, create_study
from study.plan import StudyPlan
from study.planning import make_plan
from study.runs import Runs
from study.spool import Event, Spool
from study.trial_specs import make_spec
from trainables.data.bundled import digits
from trainables.data.tensors import to_tensor
from trainables.export import BEST_FILE
from trainables.measures.frames import FRAMES, frame_path
from trainables.measures.image_figures import save_sample_grid
from trainables.preparation import Preparation
from trainables.protocol import AT_BEST, BEST
from trainables.trial_spec import TrialSpec

ROUNDS = 10
"""Between two evaluations."""
SECOND_MS = 1000
WEIGHTS_BYTES = 100_000
IN_FRAME = 16
TRAINING = ("loss_discriminator", "loss_images", "gradient_norm", "score_real", "score_generated", "movement")
COSTS = ("seconds_training", "seconds_evaluation", "seconds_saving", "memory_mb", "inner_updates", "images_generated")


def record(storage: Path, trials: int, evaluations: int) -> StudyPlan:
    """Put a study of `gradnorm` at the laptop scale into the MLflow of a storage folder; all of it is delivered."""
    config = StudyConfig(
        space="gradnorm", name="recorded", trials=trials, rounds=ROUNDS * evaluations, storage_dir=storage
    )
    plan = make_plan(config)
    check_writable(plan.storage)
    runs = Runs(plan.tracking_uri, plan.space.name, plan.name, plan.artifacts)
    spool = Spool(plan.folder.spool, runs.deliver)
    for event in _events(plan, evaluations):
        spool.put(event)
    left = spool.close(3600)
    assert (left, runs.refused) == (0, []), (left, runs.refused)
    return plan


def _events(plan: StudyPlan, evaluations: int) -> Iterator[Event]:
    preparations = {name: Preparation(protocol, {}, ()) for name, protocol in plan.protocols.items()}
    tags = events.study_tags(plan, preparations)
    yield events.study_started(plan, preparations, tags)
    optuna_study = create_study(plan.name, InMemoryStorage(), plan.directions, plan.space.first_trials())
    images = digits(plan.cache_dir)[0].examples
    best = {}
    for _ in range(plan.trials):
        trial = ask(optuna_study, "random", plan.seed)
        spec = make_spec(plan, trial, plan.protocols)
        yield events.trial_started(spec, tags)
        rng = np.random.default_rng(spec.number)
        level = best[spec.number] = rng.uniform(20, 120)
        now = events.now_ms()
        for k in range(1, evaluations + 1):
            share = k / evaluations
            value = level + 100 * (1 - share) ** 2 + rng.normal()
            result = _result(spec, value, rng) | {"round": k * ROUNDS, "reported_ms": now + k * SECOND_MS}
            _draw(spec, images, k * ROUNDS, 1 - share, rng)
            yield events.trial_reported(spec, result)
        folder = Path(spec.folder)
        (folder / BEST_FILE).write_bytes(rng.bytes(WEIGHTS_BYTES))
        yield events.trial_ended(spec.number, folder, None, {})
    yield events.study_ended(min(best, key=best.__getitem__), plan.folder.path / BEST_FILE, "FINISHED", {})


def _result(spec: TrialSpec, value: float, rng: np.random.Generator) -> dict[str, float]:
    """As many numbers as an evaluation reports, of which the objective means something."""
    measured = spec.protocol.metrics()
    names = [name + ending for name in measured for ending in ("", BEST, AT_BEST)]
    names += [name + ending for name in measured if name.count("_") > 1 for ending in ("_low", "_high")]
    names += [name + ending for name in TRAINING for ending in ("", "_swing")] + list(COSTS)
    return dict(zip(names, rng.uniform(size=len(names)).tolist(), strict=True)) | {spec.objective: value}


def _draw(spec: TrialSpec, images: np.ndarray, round_number: int, noise: float, rng: np.random.Generator) -> None:
    """The frames of an evaluation: digits in less and less noise."""
    folder = Path(spec.folder) / FRAMES
    folder.mkdir(parents=True, exist_ok=True)
    chosen = to_tensor(images[rng.choice(len(images), IN_FRAME)])
    noisy = (1 - noise) * chosen + noise * torch.from_numpy(rng.uniform(-1, 1, chosen.shape))
    for name in ("samples", "nearest"):
        save_sample_grid(noisy, frame_path(folder, name, round_number), columns=4)
