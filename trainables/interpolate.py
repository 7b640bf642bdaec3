"""python -m trainables.interpolate --from STUDY: paths between latents, and arithmetic with them."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any

import torch
from scipy.stats import entropy
from torch import Tensor

from trainables.attributes import Decoded, attribute_vector, class_change_rate, slant, success_rate, thickness
from trainables.command_line import run
from trainables.data.cache import is_at_hand, prepare
from trainables.data.dataset import Dataset
from trainables.data.subset import choose
from trainables.data.tensors import to_tensor
from trainables.errors import InputError
from trainables.export import find_export, load_export
from trainables.extractors.base import extract_array
from trainables.extractors.lenet import ClassifierExtractor, prepare_classifier
from trainables.latent_paths import PATH_OF, PATHS, largest_step, relative_length
from trainables.measures.image_figures import save_sample_grid
from trainables.methods.abilities import Encodes, Generates
from trainables.metrics.frechet import frechet_distance, reference_statistics
from trainables.options import Option

CODES = 2000
"""Codes with which arithmetic is done, and middles of paths whose Frechet distance is measured."""

ATTRIBUTES: dict[str, Callable[[Tensor], Tensor]] = {"slant": slant, "thickness": thickness}


@dataclass(frozen=True)
class InterpolateConfig:
    """Walk from latent to latent of a trained generator; the same seed gives the same files.

    Writes to --out: interpolation.png, numbers.json, and with --arithmetic attributes.png.
    """

    from_: Annotated[Path, Option(name="from")]
    """An exported file, the folder of a trial or a study, or the name of a study, of a method with a generator."""
    arithmetic: bool = False
    """Also add differences of latents: with more slant or thickness of the strokes, and from class to class."""
    pairs: int = 8
    """Rows of the picture."""
    steps: int = 8
    """Images in a row, the two ends among them."""
    seed: int = 0
    """Decides the latents."""
    out: Path = Path("interpolated")
    """A folder, which is made."""
    storage_dir: Path = Path("outputs")
    """Where `study.launch` keeps studies and data sets."""

    def check(self) -> None:
        """Raise `InputError` for numbers that make no sense."""
        if self.pairs < 1 or self.steps < 3 or self.seed < 0:
            raise InputError("--pairs must be at least 1, --steps at least 3 and --seed at least 0.")


def interpolate(config: InterpolateConfig) -> dict[str, Any]:
    """Write the files; returns the numbers. Raises `InputError` before anything is written."""
    config.check()
    exported = find_export(config.from_, config.storage_dir)
    cache_dir = config.storage_dir / "cache"
    method = load_export(exported, cache_dir, torch.device("cpu"))
    if not isinstance(method, Generates):
        raise InputError(f"{exported} holds a method without a generator of latents: name a GAN or a VAE.")
    if len(method.dataset.shape) != 3:
        raise InputError(f"{exported} makes points, and paths are shown as images: name another study.")
    seen = _classifier(method.dataset.name, cache_dir)
    if config.arithmetic and seen is None:
        raise InputError(
            f"--arithmetic needs a classifier, and data set {method.dataset.name!r} of {exported} is not here or has "
            "no classes: leave it out."
        )
    rng = torch.Generator().manual_seed(config.seed)
    kind = PATH_OF[method.prior()]
    first, second = method.draw_latents(2 * config.pairs, rng).chunk(2)
    images = _decoded_paths(method, PATHS[kind](first, second, torch.linspace(0, 1, config.steps)))
    numbers = {"weights": str(exported), "path": kind, "pixels": _lengths(images)}
    rows: list[Tensor] = []
    if seen is not None:
        dataset, classifier = seen
        numbers |= _as_seen(classifier, images) | {"fid_lenet": _middles(method, dataset, classifier, rng)}
        if config.arithmetic:
            rates, rows = _arithmetic(method, dataset, classifier, rng)
            numbers["arithmetic"] = rates
    _write(config, images, rows, numbers)
    return numbers


def _classifier(name: str, cache_dir: Path) -> tuple[Dataset, ClassifierExtractor] | None:
    """The data set and its classifier, if they can be had without a download."""
    try:
        if not is_at_hand(name, cache_dir):
            return None
        dataset = prepare(name, cache_dir)
        return dataset, prepare_classifier(dataset, cache_dir)
    except InputError:
        return None


@torch.no_grad()
def _generated(method: Generates, latents: Tensor) -> Tensor:
    return torch.cat([method.generate(part) for part in latents.split(500)]).clamp(-1, 1)


def _decoded_paths(method: Generates, latents: Tensor) -> Tensor:
    """The images `(n, k, C, H, W)` of latents `(n, k, d)`."""
    return _generated(method, latents.flatten(0, 1)).unflatten(0, latents.shape[:2])


def _lengths(points: Tensor) -> dict[str, float]:
    return {"relative_length": relative_length(points), "largest_step": largest_step(points)}


def _as_seen(classifier: ClassifierExtractor, images: Tensor) -> dict[str, Any]:
    """Paths in the classifier's features, and how sure it is of the classes at the ends and in between, in nats."""
    features, probabilities = classifier(images.flatten(0, 1))
    shape = images.shape[:2]
    entropies = entropy(probabilities, axis=1).reshape(shape)
    return {
        "features": _lengths(torch.from_numpy(features).unflatten(0, shape)),
        "class_entropy": {"ends": float(entropies[:, [0, -1]].mean()), "between": float(entropies[:, 1:-1].mean())},
    }


def _middles(
    method: Generates, dataset: Dataset, classifier: ClassifierExtractor, rng: torch.Generator
) -> dict[str, float]:
    """The Frechet distances to training images: of samples, and of the middles of both kinds of paths between them."""
    real = choose(dataset.train.examples, CODES, seed=0)
    reference = reference_statistics(extract_array(classifier, real)[0])
    first, second = method.draw_latents(2 * len(real), rng).chunk(2)
    half = torch.tensor([0.5])
    sets = {"samples": first, **{f"{kind}_middles": path(first, second, half)[:, 0] for kind, path in PATHS.items()}}
    return {
        name: frechet_distance(reference, classifier(_generated(method, latents))[0]) for name, latents in sets.items()
    }


def _arithmetic(
    method: Generates, dataset: Dataset, classifier: ClassifierExtractor, rng: torch.Generator
) -> tuple[dict[str, dict[str, float]], list[Tensor]]:
    """The success rates beside those of shuffled codes, and a row of images for each attribute."""
    if isinstance(method, Encodes):
        codes = method.encode(to_tensor(choose(dataset.train.examples, CODES, seed=0)))
    else:
        codes = method.draw_latents(CODES, rng)

    def classify(images: Tensor) -> Tensor:
        return torch.from_numpy(classifier(images)[1].argmax(1))

    made = _generated(method, codes)
    classes = classify(made)
    rates, rows = {}, []
    amounts = torch.linspace(-1, 1, 9)[:, None]
    try:
        for name, measure in ATTRIBUTES.items():
            decoded = Decoded(lambda z: _generated(method, z), classify, measure)
            values = measure(made)
            both = [success_rate(codes, classes, values, decoded, rng, shuffled=chance) for chance in (False, True)]
            rates[name] = dict(zip(("success", "shuffled"), both, strict=True))
            has_it = values > values.median()
            rows.append(_generated(method, codes[:1] + 2 * amounts * attribute_vector(codes, has_it)))
        both = [class_change_rate(codes, classes, decoded, rng, shuffled=chance) for chance in (False, True)]
    except ValueError as error:
        raise InputError(f"the generator's images cannot be used for arithmetic: {error}") from error
    return rates | {"class": dict(zip(("success", "shuffled"), both, strict=True))}, rows


def _write(config: InterpolateConfig, images: Tensor, rows: list[Tensor], numbers: dict[str, Any]) -> None:
    try:
        config.out.mkdir(parents=True, exist_ok=True)
        (config.out / "numbers.json").write_text(json.dumps(numbers, indent=2))
        save_sample_grid(images.flatten(0, 1), config.out / "interpolation.png", columns=config.steps)
        if rows:
            save_sample_grid(torch.cat(rows), config.out / "attributes.png", columns=len(rows[0]))
    except OSError as error:
        raise InputError(f"cannot write to {config.out}: {error.strerror}.") from error


def main(arguments: list[str] | None = None) -> int:
    """Run the command line; returns the exit status: 0, or 2 for bad input."""

    def action(config: InterpolateConfig) -> int:
        numbers = interpolate(config)
        pixels = numbers["pixels"]
        print(
            f"wrote {config.out}: {config.pairs} {numbers['path']} paths, {pixels['relative_length']:.2f} times as "
            f"long as the distance of their ends, largest step {pixels['largest_step']:.2f} times the mean step"
        )
        for name, rate in numbers.get("arithmetic", {}).items():
            print(f"{name}: {rate['success']:.0%} of 100 succeed, of shuffled ones {rate['shuffled']:.0%}")
        return 0

    return run(InterpolateConfig, "python -m trainables.interpolate", action, arguments)


if __name__ == "__main__":
    sys.exit(main())
