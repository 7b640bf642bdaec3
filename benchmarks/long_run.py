"""The published settings of [Yesilcimen 2022] at full width on mnist5k, on one core, for as long as one lets them run.

They need too many hours for a study on a laptop. Stop the run at any time: the next call goes on from its last
evaluation, of which there is one a round. The images of one round are few, so compare their distance with the
reference values only, which are of as many images.
"""

from __future__ import annotations

import json
import time
from pathlib import Path

import torch

from search_spaces import published
from trainables.evaluator import Evaluator
from trainables.measures.settings import FidelitySettings
from trainables.methods.discriminator_only import DiscriminatorOnlyConfig
from trainables.preparation import prepare_protocol
from trainables.protocol import Protocol
from trainables.training import Training
from trainables.trial_spec import TrialSpec

FOLDER = Path("outputs/long_run").absolute()
CURVE = FOLDER / "curve.jsonl"
"""A line for each evaluation, with the CPU hours until then; what was lost between two evaluations is not counted."""
ROUNDS = 40 * 32
"""40 epochs, as published."""
SHOWN = ("fid_lenet", "is_lenet", "inner_updates", "score_generated", "score_real", "gradient_norm", "initial_accuracy")


def main() -> None:
    """Go on with the run, or start it; print a line for each evaluation."""
    torch.set_num_threads(1)
    config = DiscriminatorOnlyConfig()
    protocol = Protocol(dataset="mnist5k", measures=(FidelitySettings(num_samples=config.batch_size),))
    preparation = prepare_protocol(protocol, FOLDER / "cache")
    known = preparation.references
    print(f"fid_lenet of noise {known['fid_lenet_noise']:.0f}, of test images {known['fid_lenet_test_images']:.0f}")
    print(f"published best: {', '.join(f'{v.fid_inception_best} {name}' for name, v in published.VARIANTS.items())}")
    spec = TrialSpec(
        number=0,
        method="discriminator_only",
        config=config.model_dump(mode="json"),
        rounds=ROUNDS,
        evaluate_every=1,
        protocol=preparation.protocol,
        objective="fid_lenet_best",
        cache_dir=str(FOLDER / "cache"),
        folder=str(FOLDER / "trial"),
    )
    training = Training(spec, Evaluator(spec.protocol, FOLDER / "cache", torch.device("cpu")), torch.device("cpu"))
    lines = [json.loads(line) for line in CURVE.read_text().splitlines()] if CURVE.exists() else []
    before = max((line["cpu_hours"] for line in lines if line["round"] <= training.round), default=0.0)
    for line in lines:
        print(shown(line))
    while not training.is_done:
        report = training.advance()
        cpu_hours = before + time.process_time() / 3600
        line = {"round": training.round, "cpu_hours": cpu_hours} | {name: report[name] for name in SHOWN}
        with CURVE.open("a") as file:
            file.write(json.dumps(line) + "\n")
        print(shown(line), flush=True)


def shown(line: dict[str, float]) -> str:
    """An evaluation as a person reads it."""
    return "   ".join(f"{name} {value:.4g}" for name, value in line.items())
