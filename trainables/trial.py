"""The Ray Trainable: the only file below the driver that imports Ray."""

from __future__ import annotations

import gc
import json
import traceback
from pathlib import Path
from typing import Any

import ray
import torch
from filelock import FileLock
from ray.tune import Trainable

from trainables.cohort import make_training
from trainables.devices import bound_memory, device_of, name_of
from trainables.errors import InputError
from trainables.evaluator import Evaluator
from trainables.exploit import take_over
from trainables.methods.base import NonFiniteLossError
from trainables.repetitions import Repetitions
from trainables.training import FAILURE, Training
from trainables.trial_spec import TrialSpec

DEVICE = "device"
"""The key of a result under which a trial says what it computes on."""

MARKER = "checkpoint.json"
"""What Ray keeps of a checkpoint: where the trial's own checkpoints are."""

ORPHAN_SECONDS = 300.0
"""How long a trial waits for a process of an earlier driver that still trains it."""


class Trial(Trainable):
    """Runs one `TrialSpec` (the config's key "spec"); a step is the rounds up to an evaluation.

    What fails inside the trial (a diverged loss, any exception) would fail again, so it ends the trial with `failure`,
    one sentence, in the last result. If the process is killed, Ray starts the trial again, and it goes on from its
    newest checkpoint.
    """

    asked_for_gpu = False
    gpu_share = 0.0

    def setup(self, config: dict[str, Any]) -> None:
        """Take the spec; networks and data come with the first step."""
        self.spec = TrialSpec.model_validate(config["spec"])
        self.training: Training | Repetitions | None = None
        self.evaluator: Evaluator | None = None
        # Ray derives the number of threads from the CPUs of the actor, torch does not always hear of it.
        context = ray.get_runtime_context()
        self.asked_for_gpu = bool(context.get_accelerator_ids().get("GPU"))
        assigned = context.get_assigned_resources()
        torch.set_num_threads(max(1, int(assigned.get("CPU", 1))))
        self.gpu_share = assigned.get("GPU", 0.0)

    def step(self) -> dict[str, Any]:
        """Train and evaluate once; or, after a restart, report again what may not have been heard."""
        try:
            with self._alone():
                if self.training is None:
                    self.training = self._make_training()
                    report = self.training.report or self.training.advance()
                else:
                    report = self.training.advance()
                if FAILURE in report:
                    Path(self.spec.folder, "error.txt").write_text(str(report[FAILURE]))
                return {**report, "done": self.training.is_done, DEVICE: self.device_name}
        except (NonFiniteLossError, InputError) as error:
            return self._failure(str(error))
        except Exception as error:
            return self._failure(f"{type(error).__name__}: {error}")

    def _alone(self) -> FileLock:
        """The lock to hold while writing to the trial's folder.

        When a driver is killed, the processes of its trials may take seconds to notice, and write on meanwhile.
        """
        Path(self.spec.folder).mkdir(parents=True, exist_ok=True)
        return FileLock(Path(self.spec.folder, "trial.lock"), timeout=ORPHAN_SECONDS)

    def _make_training(self) -> Training | Repetitions:
        device = device_of(self.asked_for_gpu)
        bound_memory(device, self.gpu_share)
        self.device_name = name_of(device)
        if self.evaluator is None or self.evaluator.protocol != self.spec.protocol:
            self.evaluator = Evaluator(self.spec.protocol, Path(self.spec.cache_dir), device)
        return make_training(self.spec, self.evaluator, device)

    def _failure(self, reason: str) -> dict[str, Any]:
        folder = Path(self.spec.folder)
        folder.mkdir(parents=True, exist_ok=True)
        (folder / "error.txt").write_text(traceback.format_exc())
        return {"round": self.training.round if self.training else 0, FAILURE: reason, "done": True}

    def reset_config(self, new_config: dict[str, Any]) -> bool:
        """Become another trial in the same process; nothing of the old one is kept but the evaluator."""
        self.training = None
        gc.collect()
        self.spec = TrialSpec.model_validate(new_config["spec"])
        return True

    def save_checkpoint(self, checkpoint_dir: str) -> None:
        """Leave a marker for Ray: `Training` has written the checkpoint itself."""
        marker = {"folder": self.spec.folder, "round": self.training.round if self.training else None}
        Path(checkpoint_dir, MARKER).write_text(json.dumps(marker))

    def load_checkpoint(self, checkpoint: Any) -> None:
        """Go on from the newest checkpoint: the next step reads it from the trial's folder.

        Where the marker is another trial's (population based training), its checkpoint is taken over first.
        """
        self.training = None
        marker = json.loads(Path(checkpoint, MARKER).read_text())
        if marker["folder"] != self.spec.folder:
            with self._alone():
                take_over(self.spec, Path(marker["folder"]), marker["round"])
