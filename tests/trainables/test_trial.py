from __future__ import annotations

import study  # noqa: F401  sets what Ray reads when it is imported

# isort: split
import threading
from pathlib import Path

import torch
from filelock import FileLock

from trainables.evaluator import Evaluator
from trainables.preparation import prepare_protocol
from trainables.trial import Trial
from trainables.trial_spec import TrialSpec


def test_it_waits_for_a_process_that_still_trains_it(cache_dir, tmp_path, of_images):
    """A worker of a driver that was killed writes on until it notices."""
    protocol = prepare_protocol(of_images("digits", ("scrambled",)), cache_dir).protocol
    trial = object.__new__(Trial)  # without the actor that `setup` asks for its CPUs
    trial.spec = TrialSpec(
        number=0,
        method="discriminator_only",
        config={"width": 1 / 64, "batch_size": 32, "initial_epochs": 0, "max_updates": 2},
        rounds=1,
        evaluate_every=1,
        protocol=protocol,
        objective="fid_lenet_best",
        cache_dir=str(cache_dir),
        folder=str(tmp_path / "trial"),
    )
    trial.training, trial.evaluator = None, Evaluator(protocol, cache_dir, torch.device("cpu"))
    results = []
    (tmp_path / "trial").mkdir()
    step = threading.Thread(target=lambda: results.append(trial.step()))
    with FileLock(tmp_path / "trial" / "trial.lock"):
        step.start()
        step.join(1.0)
        assert step.is_alive()
        assert [path.name for path in Path(trial.spec.folder).iterdir()] == ["trial.lock"]
    step.join(60)
    assert results[0]["done"]
    assert "failure" not in results[0]
