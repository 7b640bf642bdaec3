from __future__ import annotations

import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import safetensors.torch
import torch
from sklearn.datasets import load_digits
from torch.nn.utils import parameters_to_vector

from trainables.cache import find
from trainables.data.cache import prepare
from trainables.data.dataset import Dataset, Split
from trainables.data.sources import file_name
from trainables.data.tensors import to_tensor
from trainables.errors import InputError
from trainables.extractors import lenet_training as classifier_training
from trainables.extractors.lenet import SHIPPED, ClassifierExtractor, load_classifier, prepare_classifier
from trainables.networks.lenet import LeNet


def make_digits() -> Dataset:
    digits = load_digits()
    images = np.rint(digits.images * (255 / 16)).astype(np.uint8)[:, None]
    order = np.random.default_rng(0).permutation(len(images))
    train, test = order[:1437], order[1437:]
    labels = digits.target.astype(np.int64)
    return Dataset("digits", Split(images[train], labels[train]), Split(images[test], labels[test]), 10)


ROOT = Path(__file__).parents[3]
DIGITS = make_digits()
FEW = Dataset(
    "few",
    Split(DIGITS.train.examples[:200], DIGITS.train.labels[:200]),
    Split(DIGITS.test.examples[:50], DIGITS.test.labels[:50]),
    10,
)


@pytest.fixture
def one_epoch(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(classifier_training, "MAX_UPDATES", 1)
    monkeypatch.setattr(classifier_training, "MIN_EPOCHS", 1)


@pytest.fixture(scope="module")
def trained_cache(tmp_path_factory: pytest.TempPathFactory) -> Path:
    cache_dir = tmp_path_factory.mktemp("cache")
    prepare_classifier(DIGITS, cache_dir)
    return cache_dir


@pytest.fixture
def extractor(trained_cache: Path) -> ClassifierExtractor:
    return load_classifier("digits", trained_cache, "cpu")


def path_in(cache_dir: Path, name: str = "few") -> Path:
    return cache_dir / "classifiers" / file_name(name) / "lenet.safetensors"


def test_reaches_the_accuracy_of_the_report_on_digits(extractor: ClassifierExtractor) -> None:
    _, probabilities = extractor(to_tensor(DIGITS.test.examples))
    accuracy = np.mean(probabilities.argmax(axis=1) == DIGITS.test.labels)
    assert accuracy >= 0.9809
    assert extractor.test_accuracy == pytest.approx(accuracy)


def test_gives_features_and_probabilities_in_float64(extractor: ClassifierExtractor) -> None:
    features, probabilities = extractor(to_tensor(DIGITS.test.examples[:7]))
    assert (features.shape, features.dtype) == ((7, 256), np.float64)
    assert (probabilities.shape, probabilities.dtype) == ((7, 10), np.float64)
    np.testing.assert_allclose(probabilities.sum(axis=1), 1.0, rtol=1e-12)
    assert (extractor.name, extractor.num_features) == ("lenet", 256)


def test_does_not_depend_on_the_batch_size(extractor: ClassifierExtractor) -> None:
    images = to_tensor(DIGITS.train.examples)
    features, probabilities = extractor(images)
    assert len(features) == len(images) > 1000
    one_by_one = [extractor(image) for image in images[980:1020].split(1)]
    np.testing.assert_allclose(np.concatenate([f for f, _ in one_by_one]), features[980:1020], atol=1e-4)
    np.testing.assert_allclose(np.concatenate([p for _, p in one_by_one]), probabilities[980:1020], atol=1e-5)


@pytest.mark.parametrize(
    "images",
    [torch.zeros(2, 1, 8, 9), torch.zeros(1, 8, 8), torch.zeros(2, 1, 8, 8, dtype=torch.uint8)],
    ids=["width", "no batch", "bytes"],
)
def test_refuses_other_images(extractor: ClassifierExtractor, images: torch.Tensor) -> None:
    with pytest.raises(ValueError, match=r"takes floating-point images \(n, 1, 8, 8\)"):
        extractor(images)


def test_another_process_loads_the_same_weights(extractor: ClassifierExtractor, trained_cache: Path) -> None:
    program = (
        "import sys; from pathlib import Path; from trainables.extractors.lenet import load_classifier;"
        "print(load_classifier('digits', Path(sys.argv[1]), 'cpu').sha256)"
    )
    output = subprocess.check_output([sys.executable, "-c", program, str(trained_cache)], cwd=ROOT, text=True)
    assert output.strip() == extractor.sha256


@pytest.mark.usefixtures("one_epoch")
def test_the_seed_decides_the_weights(tmp_path: Path) -> None:
    first, again, other = (
        prepare_classifier(FEW, tmp_path / folder, seed) for folder, seed in (("a", 0), ("b", 0), ("c", 1))
    )
    assert first.sha256 == again.sha256 != other.sha256


@pytest.mark.usefixtures("one_epoch")
def test_the_number_of_threads_changes_nothing_and_is_put_back() -> None:
    before = torch.get_num_threads()
    weights = []
    try:
        for threads in (1, 2, 4):
            torch.set_num_threads(threads)
            network, _ = classifier_training.train_classifier(DIGITS, seed=0)
            assert torch.get_num_threads() == threads
            weights.append(parameters_to_vector(network.parameters()))
    finally:
        torch.set_num_threads(before)
    assert torch.equal(weights[0], weights[1])
    assert torch.equal(weights[0], weights[2])


@pytest.mark.parametrize("name", ["digits", "mnist5k"])
def test_what_is_shipped_needs_no_training(name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delattr(classifier_training, "_train")
    dataset = prepare(name, tmp_path)
    extractor = prepare_classifier(dataset, tmp_path)
    _, probabilities = extractor(to_tensor(dataset.test.examples))
    accuracy = np.mean(probabilities.argmax(axis=1) == dataset.test.labels)
    assert accuracy == pytest.approx(extractor.test_accuracy, abs=0.002)
    assert accuracy > 0.97


@pytest.mark.usefixtures("one_epoch")
def test_what_is_shipped_for_other_data_is_not_used(tmp_path: Path) -> None:
    other_images_of_the_name = replace(FEW, name="digits")
    shipped = find(SHIPPED / "digits")
    assert prepare_classifier(other_images_of_the_name, tmp_path).sha256 != shipped.sha256["lenet.safetensors"]


@pytest.mark.usefixtures("one_epoch")
def test_training_and_loading_leave_the_global_random_state_alone(tmp_path: Path) -> None:
    before = torch.random.get_rng_state(), np.random.get_state()[1].copy()
    prepare_classifier(FEW, tmp_path)
    assert torch.equal(torch.random.get_rng_state(), before[0])
    assert np.array_equal(np.random.get_state()[1], before[1])


@pytest.mark.usefixtures("one_epoch")
def test_the_best_epoch_is_kept(monkeypatch: pytest.MonkeyPatch) -> None:
    accuracies = iter([0.5, 0.7, 0.6])
    weights = []

    def pretended_accuracy(network: LeNet, split: Split) -> float:
        weights.append(network.output[1].weight.clone())
        return next(accuracies)

    monkeypatch.setattr(classifier_training, "MIN_EPOCHS", 3)
    monkeypatch.setattr(classifier_training, "_accuracy", pretended_accuracy)
    network, accuracy = classifier_training.train_classifier(FEW, seed=0)
    assert accuracy == 0.7
    assert torch.equal(network.output[1].weight, weights[1])


def test_training_ends_at_the_target_accuracy(monkeypatch: pytest.MonkeyPatch) -> None:
    accuracies = iter([0.5, 0.9809, 0.99])
    monkeypatch.setattr(classifier_training, "_accuracy", lambda network, split: next(accuracies))
    _, accuracy = classifier_training.train_classifier(FEW, seed=0)
    assert accuracy == 0.9809


@pytest.mark.usefixtures("one_epoch")
def test_is_trained_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    first = prepare_classifier(FEW, tmp_path)
    monkeypatch.delattr(classifier_training, "_train")
    assert prepare_classifier(FEW, tmp_path).sha256 == first.sha256


def truncate(path: Path) -> None:
    path.write_bytes(path.read_bytes()[:-100])


def flip_a_bit(path: Path) -> None:
    content = bytearray(path.read_bytes())
    content[-100] ^= 1
    path.write_bytes(content)


def empty(path: Path) -> None:
    path.write_bytes(b"")


def drop_the_header(path: Path) -> None:
    with safetensors.safe_open(path, framework="pt") as file:
        weights = {name: file.get_tensor(name) for name in list(file.keys())}
    path.write_bytes(safetensors.torch.save(weights))


def drop_the_checksum(path: Path) -> None:
    path.with_name("meta.json").unlink()


@pytest.mark.usefixtures("one_epoch")
@pytest.mark.parametrize("damage", [truncate, flip_a_bit, empty, drop_the_header, drop_the_checksum])
def test_a_damaged_file_is_refused_by_trials_and_replaced_by_the_driver(tmp_path: Path, damage) -> None:
    first = prepare_classifier(FEW, tmp_path)
    damage(path_in(tmp_path))
    with pytest.raises(InputError, match="is damaged: prepare it on the driver"):
        load_classifier("few", tmp_path, "cpu")
    with pytest.warns(UserWarning, match="training the classifier again"):
        assert prepare_classifier(FEW, tmp_path).sha256 == first.sha256
    assert load_classifier("few", tmp_path, "cpu").sha256 == first.sha256


@pytest.mark.usefixtures("one_epoch")
def test_a_classifier_of_other_images_of_the_same_name_is_replaced(tmp_path: Path) -> None:
    first = prepare_classifier(FEW, tmp_path)
    images = FEW.train.examples.copy()
    images[0, 0, 0, 0] += 1
    with pytest.warns(UserWarning, match="out of date"):
        second = prepare_classifier(replace(FEW, train=replace(FEW.train, examples=images)), tmp_path)
    assert second.sha256 != first.sha256


@pytest.mark.usefixtures("one_epoch")
def test_a_classifier_of_an_older_recipe_is_replaced(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    prepare_classifier(FEW, tmp_path)
    monkeypatch.setattr("trainables.extractors.lenet.RECIPE", 3)
    with pytest.raises(InputError, match="another version"):
        load_classifier("few", tmp_path, "cpu")
    with pytest.warns(UserWarning, match="out of date"):
        prepare_classifier(FEW, tmp_path)


@pytest.mark.usefixtures("one_epoch")
def test_a_failed_write_leaves_the_old_file(tmp_path: Path, full_disk) -> None:
    first = prepare_classifier(FEW, tmp_path)
    with pytest.warns(UserWarning, match="again"), full_disk(), pytest.raises(InputError, match="make room there"):
        prepare_classifier(FEW, tmp_path, seed=1)
    assert load_classifier("few", tmp_path, "cpu").sha256 == first.sha256


def test_an_absent_classifier_is_refused_with_what_to_do(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"classifiers/few-\w+ is absent: prepare it on the driver"):
        load_classifier("few", tmp_path, "cpu")


def test_a_data_set_without_labels_is_refused(tmp_path: Path) -> None:
    unlabelled = Dataset("faces", Split(FEW.train.examples), Split(FEW.test.examples), num_classes=None)
    with pytest.raises(InputError, match="'faces' has no labels to train"):
        prepare_classifier(unlabelled, tmp_path)


def large_images(side: int, number: int = 24) -> Dataset:
    rng = np.random.default_rng(0)
    splits = (rng.integers(0, 256, (n, 1, side, side), dtype=np.uint8) for n in (number, 8))
    return Dataset("large", *(Split(images, np.arange(len(images)) % 2) for images in splits), 2)


def test_training_on_large_images_computes_on_few_at_once(one_epoch, monkeypatch):
    seen: list[int] = []
    forward = LeNet.forward
    monkeypatch.setattr(LeNet, "forward", lambda network, x: seen.append(x.numel()) or forward(network, x))
    classifier_training.train_classifier(large_images(128, 40), 0)
    assert sum(seen) == (40 + 8) * 128 * 128
    assert max(seen[:3]) <= classifier_training.BATCH_SIZE * 64 * 64


def test_an_update_is_the_same_however_many_are_taken_at_once(one_epoch, monkeypatch):
    monkeypatch.setattr(torch.nn.Dropout, "forward", lambda self, x: x)
    weights = []
    for at_once in (64, 7):
        monkeypatch.setattr(classifier_training, "images_at_once", lambda shape, most, n=at_once: n)
        network, _ = classifier_training.train_classifier(large_images(16), 0)
        weights.append(parameters_to_vector(network.parameters()))
    fresh = classifier_training.train_classifier(large_images(16), 1)[0]
    assert torch.allclose(*weights, atol=2e-3)
    assert not torch.allclose(weights[0], parameters_to_vector(fresh.parameters()), atol=2e-3)
