"""What a run of MLflow has besides numbers: pictures over time, data sets, a model. Logging twice is as once."""

from __future__ import annotations

import json
import re
import uuid
from collections.abc import Mapping, Sequence
from pathlib import Path
from tempfile import TemporaryDirectory

from mlflow import MlflowClient
from mlflow.entities import Dataset, DatasetInput, InputTag, LoggedModelStatus, Metric
from mlflow.utils.mlflow_tags import MLFLOW_DATASET_CONTEXT, MLFLOW_LOGGED_IMAGES
from PIL import Image

from study.metric_names import plain

IMAGES = "images"
"""The folder of a run's artifacts in which MLflow's page looks for pictures over time."""
SMALL = 256
"""Pixels a side of the small copy that MLflow's page shows in its grid."""
NAMESPACE = uuid.UUID("5ad66a19-0cb4-4a4f-a6a8-2f35bcb0b5cb")


def log_frames(client: MlflowClient, run_id: str, frames: Mapping[str, Path], step: int, time_ms: int) -> None:
    """Log pictures as MLflow's own `log_image` does, but under names that are the same for the same picture."""
    if not frames:
        return
    with TemporaryDirectory() as folder:
        for key, path in frames.items():
            name = f"{key}+step+{step}+timestamp+{time_ms}+{uuid.uuid5(NAMESPACE, f'{run_id} {key} {step}')}"
            Path(folder, f"{name}.png").write_bytes(path.read_bytes())
            with Image.open(path) as picture:
                small = picture.convert("RGB")
            small.thumbnail((SMALL, SMALL))
            small.save(Path(folder, f"{name}+compressed.webp"))
        client.log_artifacts(run_id, folder, IMAGES)
    client.set_tag(run_id, MLFLOW_LOGGED_IMAGES, True, synchronous=True)


def log_datasets(client: MlflowClient, run_id: str, datasets: Sequence[Mapping[str, str]]) -> None:
    """Log data sets `{"name", "digest", "context"}`; MLflow itself keeps each once."""
    inputs = [
        DatasetInput(
            Dataset(each["name"], each["digest"], "code", json.dumps({"name": each["name"]})),
            [InputTag(MLFLOW_DATASET_CONTEXT, each["context"])],
        )
        for each in datasets
    ]
    client.log_inputs(run_id, inputs)


def log_model(client: MlflowClient, run_id: str, model_name: str, weights: Path, searched: str) -> None:
    """Log the weights of a trial as a model, with what was searched (params beginning with `searched`) and found."""
    run = client.get_run(run_id)
    found = client.search_logged_models([run.info.experiment_id], f"source_run_id = '{run_id}'")
    if any(model.status == LoggedModelStatus.READY for model in found):
        return
    given = {n.removeprefix(searched): value for n, value in run.data.params.items() if n.startswith(searched)}
    params = {name: run.data.params.get(name, value) for name, value in given.items()}
    name = re.sub(r"[^A-Za-z0-9_-]", "_", model_name)
    model = found[0] if found else client.create_logged_model(run.info.experiment_id, name, run_id, params=params)
    client.log_model_artifact(model.model_id, str(weights))
    main = [name for name in run.data.metrics if plain(name) == name]
    last = [max(client.get_metric_history(run_id, name), key=lambda each: (each.step, each.timestamp)) for name in main]
    metrics = [Metric(m.key, m.value, m.timestamp, m.step, model_id=model.model_id, run_id=run_id) for m in last]
    client.log_batch(run_id, metrics, synchronous=True)
    client.finalize_logged_model(model.model_id, LoggedModelStatus.READY)
