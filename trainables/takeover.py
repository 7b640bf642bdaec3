"""Population based training: a trial goes on from the checkpoint of another one, with settings of its own."""

from __future__ import annotations

import contextlib
import json
import shutil
import tempfile
import warnings
from pathlib import Path
from typing import Any

import torch

from trainables.checkpoints import CheckpointFolder, write_atomically
from trainables.data import open_dataset
from trainables.methods import METHODS
from trainables.training import TrialSpec

EXPLOIT = "exploit.json"
"""In a trial's folder: the checkpoint that it took over last from another trial, and its settings since then."""


def take_over(spec: TrialSpec, donor: Path, round_number: int | None) -> None:
    """Let the trial `spec` go on from the checkpoint at `round_number` of the trial in the folder `donor`.

    Once: Ray comes with the same marker again when the process of the trial is lost later.
    """
    record = Path(spec.folder, EXPLOIT)
    exploit = json.dumps({"donor": str(donor), "round": round_number, "config": spec.config})
    if record.exists() and record.read_text() == exploit:
        return
    if spec.seeds == 1:
        _take_over(spec, donor, round_number)
    else:
        for k in range(spec.seeds):
            repetition = spec.repetition(k)
            _take_over(repetition, donor / Path(repetition.folder).name, round_number)
    write_atomically(record, exploit.encode())


def _take_over(spec: TrialSpec, donor: Path, round_number: int | None) -> None:
    """Make a checkpoint of `donor` the newest one of `spec`, whose own best values and totals stay.

    The optimisers get the settings of `spec`. Networks that do not fit are refused with a warning.
    """
    state = _checkpoint(CheckpointFolder(donor / "checkpoints"), round_number)
    if state is None:
        warnings.warn(f"no whole checkpoint in {donor}: {spec.folder} goes on from its own.", stacklevel=2)
        return
    method = METHODS[spec.method]
    dataset = open_dataset(spec.protocol.dataset, Path(spec.cache_dir))
    fresh = method(method.Config.model_validate(spec.config), dataset, torch.device("cpu"))
    state["method"] = _with_optimizer_settings(state["method"], fresh.state_dict())
    try:
        fresh.load_state_dict(state["method"])
    except (KeyError, RuntimeError, ValueError) as error:
        warnings.warn(f"the networks of {donor} do not fit {spec.folder}: {error}", stacklevel=2)
        return
    own = CheckpointFolder(Path(spec.folder) / "checkpoints")
    before = own.load_newest() or {"best": {}, "totals": {}}
    # The weights and pictures in its folder are those of its own best; the report was the donor's to make.
    state |= {"best": before["best"], "totals": before["totals"], "report": {}}
    # The newest of its own goes last: a process that dies in between leaves all as it was, or all done.
    later = sorted(path for path in own.folder.glob("round-*.pt") if path.name > _path(own, state["round"]).name)
    for path in later[:-1]:
        _remove(path)
    own.save(state, state["round"])
    for path in later[-1:]:
        _remove(path)


def _checkpoint(folder: CheckpointFolder, round_number: int | None) -> dict[str, Any] | None:
    """The checkpoint at `round_number`, or else the newest one: its trial goes on meanwhile and drops old ones."""
    with tempfile.TemporaryDirectory() as copies, contextlib.suppress(FileNotFoundError):
        source = _path(folder, round_number or 0)
        shutil.copy(source.with_suffix(".sha256"), copies)
        shutil.copy(source, copies)
        if (state := CheckpointFolder(Path(copies)).load_newest()) is not None:
            return state
    for _ in range(3):
        with contextlib.suppress(FileNotFoundError):
            return folder.load_newest()
    return None


def _path(checkpoints: CheckpointFolder, round_number: int) -> Path:
    return checkpoints.folder / f"round-{round_number:08d}.pt"


def _remove(path: Path) -> None:
    path.unlink()
    path.with_suffix(".sha256").unlink(missing_ok=True)


def _with_optimizer_settings(state: Any, fresh: Any) -> Any:
    """A method's `state` with the optimisers' settings (learning rates, ...) of `fresh`, a state of the same method."""
    if not isinstance(state, dict) or not isinstance(fresh, dict):
        return state
    if {"state", "param_groups"} <= state.keys() & fresh.keys():
        return state | {"param_groups": fresh["param_groups"]}
    return {key: _with_optimizer_settings(value, fresh.get(key)) for key, value in state.items()}
