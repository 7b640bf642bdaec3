from __future__ import annotations

import json

import pytest
import torch
from safetensors import safe_open
from safetensors.torch import load_file, save_file

from trainables.data.cache import open_dataset
from trainables.errors import InputError
from trainables.export import HEADER_KEY, export, load_export, read_header
from trainables.methods.base import method_class

CPU = torch.device("cpu")
BY_FID = ("fid_lenet", "minimize")


@pytest.fixture
def method(cache_dir):
    config = method_class("discriminator_only").Config(width=1 / 64)
    return method_class("discriminator_only")(config, open_dataset("digits", cache_dir), CPU)


@pytest.fixture
def exported(method, tmp_path):
    path = tmp_path / "new" / "weights.safetensors"
    config = method.config.model_dump(mode="json")
    export("discriminator_only", config, "digits", method, path, 7, {"fid_lenet": 3.5, "auroc": 0.75}, *BY_FID)
    return path


def rewrite(path, change):
    """Change the file's header, as another program or version could have written it."""
    with safe_open(path, framework="pt") as file:
        header = json.loads(file.metadata()[HEADER_KEY])
    save_file(load_file(path), path, {HEADER_KEY: json.dumps(header | change)})


def test_any_reader_of_safetensors_finds_named_weights_and_a_header(exported, method):
    weights = load_file(exported)
    expected = method.discriminator.state_dict()
    assert weights.keys() == {f"discriminator.{name}" for name in expected} | {
        "statistics.pixel_mean",
        "statistics.pixel_variance",
    }
    assert torch.equal(weights["discriminator.conv1.weight"], expected["conv1.weight"])
    with safe_open(exported, framework="pt") as file:
        header = json.loads(file.metadata()[HEADER_KEY])
    assert header["format"] == 2
    assert header["round"] == 7
    assert header["dataset"] == "digits"
    assert header["metrics"] == {"fid_lenet": 3.5, "auroc": 0.75}
    assert header["config"] == method.config.model_dump(mode="json")


def test_only_the_whole_file_is_left(exported):
    assert [path.name for path in exported.parent.iterdir()] == ["weights.safetensors"]


def test_metrics_that_are_not_finite_go_through_the_header(method, tmp_path):
    path = tmp_path / "weights.safetensors"
    export("discriminator_only", {}, "digits", method, path, 1, {"fid_lenet": float("inf")}, *BY_FID)
    assert read_header(path).metrics == {"fid_lenet": float("inf")}


@pytest.mark.parametrize(("objective", "direction", "loss"), [("fid", "minimize", 2.0), ("auroc", "maximize", -0.9)])
def test_the_objective_ranks_files_in_its_direction(method, tmp_path, objective, direction, loss):
    path = tmp_path / "weights.safetensors"
    export("discriminator_only", {}, "digits", method, path, 1, {"fid": 2.0, "auroc": 0.9}, objective, direction)
    assert read_header(path).loss == loss


def test_a_file_without_a_value_of_its_objective_ranks_last(method, tmp_path):
    path = tmp_path / "weights.safetensors"
    export("discriminator_only", {}, "digits", method, path, 1, {"fid": float("nan")}, "fid", "minimize")
    assert read_header(path).loss == float("inf")


def test_a_missing_file_is_an_input_error(tmp_path, cache_dir):
    with pytest.raises(InputError, match=r"nothing\.safetensors"):
        load_export(tmp_path / "nothing.safetensors", cache_dir, CPU)


@pytest.mark.parametrize("place", ["header", "middle", "end", "empty"])
def test_a_damaged_file_is_an_input_error(exported, cache_dir, place):
    content = exported.read_bytes()
    at = {"header": 9, "middle": len(content) // 2, "end": len(content) - 1, "empty": 0}[place]
    flipped = content[:at] + bytes([content[at] ^ 1]) + content[at + 1 :]
    exported.write_bytes(b"" if place == "empty" else flipped)
    with pytest.raises(InputError, match=r"weights\.safetensors"):
        load_export(exported, cache_dir, CPU)


@pytest.mark.parametrize("kept", [0.01, 0.5, 0.999])
def test_a_truncated_file_is_an_input_error(exported, cache_dir, kept):
    content = exported.read_bytes()
    exported.write_bytes(content[: int(len(content) * kept)])
    with pytest.raises(InputError, match="damaged"):
        load_export(exported, cache_dir, CPU)


def test_a_foreign_file_is_an_input_error(tmp_path, cache_dir):
    foreign = tmp_path / "foreign.safetensors"
    save_file({"weights": torch.ones(3)}, foreign)
    with pytest.raises(InputError, match="not exported"):
        load_export(foreign, cache_dir, CPU)


@pytest.mark.parametrize(
    ("change", "sentence"),
    [
        ({"format": 1}, "another version"),
        ({"method": "discriminator_onyl"}, "did you mean 'discriminator_only'"),
        ({"dataset": "digit"}, "did you mean 'digits'"),
        ({"config": {"no_such_setting": 1}}, "another version"),
        ({"config": {"width": 1 / 32}}, "another version"),
    ],
)
def test_a_header_that_does_not_fit_is_an_input_error(exported, cache_dir, change, sentence):
    rewrite(exported, change)
    with pytest.raises(InputError, match=sentence):
        load_export(exported, cache_dir, CPU)
