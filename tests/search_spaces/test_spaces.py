"""What every space promises, and the settings of the spaces of [Yesilcimen 2022] and of the toys."""

from __future__ import annotations

import inspect
import math
import re
import subprocess
import sys
from pathlib import Path

import optuna
import pytest
import torch

from search_spaces import SPACES
from search_spaces.ablation import Ablation
from search_spaces.claim import SEED
from search_spaces.gradnorm import GradNorm
from search_spaces.grid import GridSpace
from search_spaces.published import VARIANTS
from search_spaces.space import Epochs, SearchSpace, rounds_of
from search_spaces.toy_plane import ToyPlane
from trainables.data.dataset import Dataset
from trainables.data.points import POINT_SETS
from trainables.data.sources import SOURCES, parent_of
from trainables.errors import InputError
from trainables.measures.settings import FidelitySettings
from trainables.methods import METHODS
from trainables.methods.abilities import Follows
from trainables.methods.base import Method
from trainables.methods.discriminator_only_config import DiscriminatorOnlyConfig
from trainables.protocol import BEST_ROUND, Protocol, base_name
from trainables.registry import resolve
from trainables.training import PARAMETERS

SCALES = ("smoke", "laptop", "paper")
REFERENCES = Path(__file__).parents[2] / "docs/references.md"


def space_class(name):
    return resolve("space", name, SPACES, SearchSpace)


def method_of(space, suggestion=None):
    name = space.method_names[0] if suggestion is None or suggestion.method is None else suggestion.method
    return resolve("method", name, METHODS, Method)


@pytest.fixture(params=[(name, scale) for name in SPACES for scale in SCALES], ids="-".join)
def space(request):
    name, scale = request.param
    return space_class(name)(scale)


def suggest(space, trial):
    """The config that a trial of the space trains."""
    suggestion = space.suggest(trial)
    if space.datasets:
        assert suggestion.dataset in space.datasets
    else:
        assert suggestion.dataset is None
    if space.methods:
        assert suggestion.method in space.methods
    return method_of(space, suggestion).Config(**{**space.scale.fixed, **suggestion.config})


def study_of(space, seed=0):
    return optuna.create_study(sampler=optuna.samplers.RandomSampler(seed=seed))


def first_configs(space):
    """The first trials, each with its config."""
    study = study_of(space)
    for first in space.first_trials():
        study.enqueue_trial(dict(first.params))
        yield first, suggest(space, study.ask())


def protocols(space):
    return [Protocol(dataset=d, measures=space.scale.measures) for d in space.datasets or (space.scale.dataset,)]


def test_names_exist(space):
    assert space_class(space.name) is type(space)
    for name in space.method_names:
        assert issubclass(resolve("method", name, METHODS, Method), Method)
    assert set(map(parent_of, (space.scale.dataset, *space.datasets))) <= set(SOURCES)
    assert set(space.scales) == set(SCALES)


def test_the_measures_have_the_objectives_of_every_data_set(space):
    for protocol in protocols(space):
        for settings in protocol.measures:
            settings.check(protocol.dataset)
        for objective in space.objectives:
            assert base_name(protocol.full_name(objective)) in protocol.metrics()


def test_first_trials_are_valid_and_complete(space):
    """Optuna asks for nothing that a first trial does not say, and takes each value as it stands."""
    study = study_of(space)
    for first in space.first_trials():
        study.enqueue_trial(dict(first.params))
        trial = study.ask()
        suggest(space, trial)
        assert trial.params == dict(first.params)
    names = [first.name for first in space.first_trials()]
    assert len(set(names)) == len(names)


def test_an_exhaustive_space_has_as_many_trials_as_points_and_no_seed_among_its_parameters(space):
    if space.exhaustive:
        assert isinstance(space, GridSpace)
        assert space.num_trials == len(space.first_trials())
        assert "seed" not in space.grid
    else:
        assert space.num_trials == space.scale.trials > 0


def test_suggestions_are_configs_of_the_method(space):
    study = study_of(space)
    configs = [suggest(space, study.ask()) for _ in range(50)]
    assert len({config.model_dump_json() for config in configs}) > 1


def test_a_claim_compares_groups_of_trials_that_the_space_has(space):
    study = study_of(space)
    for first in space.first_trials():
        study.enqueue_trial(dict(first.params))
    trials = []
    for _ in range(len(space.first_trials()) if space.exhaustive else 150):
        trial = study.ask()
        space.suggest(trial)
        trials.append(trial.params)
    for claim in space.claims():
        groups = [group for group in (claim.lower, claim.higher) if callable(group)]
        assert groups
        members = [{number for number, params in enumerate(trials) if group(params)} for group in groups]
        assert all(members)
        assert len(groups) == 1 or not members[0] & members[1]


@pytest.mark.parametrize("name", SPACES)
def test_what_is_claimed_or_was_published_is_reported(name, tiny_dataset):
    """By the measures at one of the scales, or by the method in training."""
    spaces = [space_class(name)(scale) for scale in SCALES]
    measured = {metric for space in spaces for protocol in protocols(space) for metric in protocol.metrics()}
    trained = _training_metrics(spaces[0], tiny_dataset)
    for space in spaces:
        for protocol in protocols(space):
            for claim in space.claims():
                metric = protocol.full_name(claim.metric)
                assert base_name(metric) in protocol.metrics() or metric in trained
        for first in space.first_trials():
            for metric in first.published:
                assert base_name(metric) in measured or metric in trained


def _training_metrics(space, images):
    """What a trial of the space reports of its first round."""
    points = POINT_SETS.get(space.scale.dataset)
    dataset = images if points is None else Dataset(space.scale.dataset, *points.splits(), num_classes=None)
    _, config = next(first_configs(space))
    method = method_of(space)(config, dataset, torch.device("cpu"))
    reported = method.train_round()
    swings = {f"{name}_swing_overall" for name in reported if name.startswith("loss_")}
    return {*reported, PARAMETERS, BEST_ROUND, *swings, *({"movement"} if isinstance(method, Follows) else set())}


def test_claims_are_sentences_that_can_be_read_alone(space):
    texts = [claim.text for claim in space.claims()]
    assert len(set(texts)) == len(texts)
    for text in texts:
        assert re.fullmatch(r"[A-Z].* .*[\w)]\.", text)
        assert not re.match(r"(So|But|And|It|They|This|With it)\b", text)


def test_every_document_that_is_named_is_in_the_list_of_references():
    keys = re.findall(r"^### (\[.+\])$", REFERENCES.read_text(), re.MULTILINE)
    assert len(keys) == len(set(keys)) == 5
    for name in SPACES:
        module = inspect.getmodule(space_class(name))
        named = re.findall(r"\[(?:[A-Z][a-z]+ \d{4}|Kitov)\]", inspect.getsource(module))
        assert named, name
        assert set(named) <= set(keys)
    papers = re.findall(r"^\| (\w.*?\d{4}, arXiv:[\d.]+) \|", REFERENCES.read_text(), re.MULTILINE)
    for name in SPACES:
        for claim in space_class(name)("laptop").claims():
            assert any(claim.source.startswith(f"{key}, ") for key in (*keys, *papers))


def test_no_two_measures_of_a_scale_report_the_same(space):
    for dataset in space.datasets or (space.scale.dataset,):
        names = [name for settings in space.scale.measures for name in settings.metrics(dataset)]
        assert len(set(names)) == len(names)


def test_images_are_measured_by_two_extractors_on_a_laptop(space):
    features = [s.features for s in space.scale.measures if isinstance(s, FidelitySettings)]
    if space.scale_name == "laptop":
        assert features in ([], ["lenet", "efficientnet"])
    else:
        assert len(features) <= 1


def test_every_paper_that_is_cited_is_in_the_list_of_references():
    root = REFERENCES.parents[1]
    files = [path for folder in ("study", "search_spaces", "trainables") for path in (root / folder).rglob("*.py")]
    cited = {key for path in files for key in re.findall(r"arXiv:\d{4}\.\d{4,5}", path.read_text())}
    assert cited
    assert cited <= set(re.findall(r"arXiv:\d{4}\.\d{4,5}", REFERENCES.read_text()))


def test_naming_the_spaces_loads_nothing_heavy():
    """The command line lists spaces, and says which of their metrics exist, at once."""
    program = (
        "import importlib, sys\n"
        "from search_spaces import SPACES\n"
        "for target in SPACES.values():\n"
        "    module, _, name = target.partition(':')\n"
        "    for scale in ('smoke', 'laptop', 'paper'):\n"
        "        space = getattr(importlib.import_module(module), name)(scale)\n"
        "        space.first_trials(), space.claims()\n"
        "print(*sorted({'torch', 'ray', 'sklearn', 'optuna', 'mlflow'} & set(sys.modules)))"
    )
    root = Path(__file__).parents[2]
    ran = subprocess.run([sys.executable, "-c", program], cwd=root, capture_output=True, text=True, check=True)
    assert ran.stdout.split() == []


def test_laptop_needs_no_download_and_no_gpu():
    for name in SPACES:
        scale = space_class(name)("laptop").scale
        assert parent_of(scale.dataset) in ("digits", "mnist5k", "photo_patches", *POINT_SETS)
        assert scale.gpus_per_trial == 0


def test_an_unknown_scale_is_named():
    with pytest.raises(InputError, match="unknown scale 'laptp': did you mean 'laptop'"):
        GradNorm("laptp")


def test_ablation_is_the_seven_variants_with_several_seeds():
    space = Ablation("paper")
    terms = {}
    for first, config in first_configs(space):
        assert config.lambda_stat == 100
        assert config.discriminator_lr == 1e-4
        assert config.image_lr == 0.01
        terms[config.lambda_tv, config.lambda_ce, config.lambda_gnorm] = first.published["fid_inception_best"]
    tv, ce, gnorm = 1e-3, 1e-4, 50
    assert terms == {
        (0, 0, 0): 57.16,
        (tv, 0, 0): 63.29,
        (0, ce, 0): 60.38,
        (0, 0, gnorm): 30.96,
        (tv, 0, gnorm): 34.60,
        (0, ce, gnorm): 27.69,
        (tv, ce, gnorm): 25.26,
    }
    assert space.exhaustive
    assert space.num_trials == 7
    assert [Ablation(scale).scale.seeds for scale in SCALES] == [1, 3, 5]


def test_on_a_laptop_the_seven_variants_toggle_terms_at_rates_with_which_something_is_learned():
    on = set()
    for first, config in first_configs(Ablation("laptop")):
        assert (config.discriminator_lr, config.image_lr, config.max_updates, config.lambda_stat) == (1e-2, 0.2, 10, 1)
        variant = VARIANTS[first.params["variant"]]
        terms = (config.lambda_tv > 0, config.lambda_ce > 0, config.lambda_gnorm > 0)
        assert terms == (variant.total_variation, variant.cross_entropy, variant.gradient_norm)
        on.add(terms)
    assert len(on) == 7


def test_the_paper_scale_trains_the_published_number_of_epochs_on_every_data_set():
    """[Yesilcimen 2022], sections 4.2.2 and 4.2.4: 40 epochs; the ablation's best ones are up to the 45th."""
    lengths = {"mnist": (60_000, 469), "emnist32": (124_800, 975), "yale_faces": (1931, 16)}
    for space, epochs in ((GradNorm("paper"), 40), (Ablation("paper"), 50)):
        for length, batches in lengths.values():
            assert rounds_of(space.scale.rounds, length, 128) == epochs * batches
            assert rounds_of(space.scale.evaluate_every, length, 128) == batches
        fidelity, _, detection = space.scale.measures
        assert fidelity.num_samples == "epoch"
        assert detection.num_scored == 10_000
    assert {*lengths} <= {*SOURCES}


def test_a_budget_in_epochs_is_as_many_rounds_as_it_takes_batches():
    assert rounds_of(7, 100, 10) == 7
    assert rounds_of(Epochs(2), 100, 10) == 20
    assert rounds_of(Epochs(2), 101, 10) == 22
    assert rounds_of(Epochs(2), 3, 10) == 2
    assert (str(Epochs(1)), str(Epochs(40))) == ("1 epoch", "40 epochs")


def test_at_paper_scale_gradnorm_starts_with_the_published_settings():
    space = GradNorm("paper")
    first, config = next(first_configs(space))
    assert config.model_dump(exclude={"pool_slack"}) == type(config)().model_dump(exclude={"pool_slack"})
    assert first.published == {
        "fid_inception_best": 25.26,
        "auroc_fashion_mnist_at_best": 0.998,
        "auroc_kmnist_at_best": 0.999,
        "auroc_emnist_at_best": 0.938,
        "initial_accuracy": 0.9945,
    }


def test_a_weight_can_be_off_or_anything_in_its_range():
    space = GradNorm("paper")
    study = study_of(space)
    weights = [suggest(space, study.ask()).lambda_gnorm for _ in range(300)]
    on = [weight for weight in weights if weight > 0]
    assert 200 < len(on) < 280  # four decades of five
    assert min(on) < 2e-2
    assert max(on) > 50
    assert all(1e-2 <= weight <= 1e2 for weight in on)


@pytest.mark.parametrize("name", ["gradnorm", "beyond"])
@pytest.mark.parametrize("scale", SCALES)
def test_the_first_trials_have_exactly_the_published_settings(name, scale):
    """Also where a scale searches other ranges; the limit of updates is the scale's largest."""
    space = space_class(name)(scale)
    published = {first.name: config for first, config in first_configs(space)}
    *names, last = published
    assert names == ["published: all", "published: gnorm", "published: baseline"]
    assert last == "energy-based, middle of the ranges"
    for first, (tv, ce, gnorm) in {"all": (1e-3, 1e-4, 50), "gnorm": (0, 0, 50), "baseline": (0, 0, 0)}.items():
        config = published[f"published: {first}"]
        assert (config.lambda_stat, config.lambda_tv, config.lambda_ce, config.lambda_gnorm) == (100, tv, ce, gnorm)
        assert (config.discriminator_lr, config.image_lr, config.max_updates) == (1e-4, 0.01, space.max_updates[1])
        changed = {"width", "batch_size", "initial_epochs", "pool_slack", "buffer_size", "max_updates"}
        others = {"lambda_stat", "lambda_tv", "lambda_ce", "lambda_gnorm"} | changed
        assert config.model_dump(exclude=others) == type(config)().model_dump(exclude=others)


@pytest.mark.parametrize("name", ["gradnorm", "beyond"])
def test_the_last_first_trial_has_the_choices_of_energy_based_models_and_the_middle_of_every_range(name):
    *_, (_, config) = first_configs(space_class(name)("laptop"))
    assert (config.fakes, config.start, config.clip_images) == ("just_made", "earlier", True)
    rates = (config.discriminator_lr, config.image_lr, config.max_updates)
    assert rates == pytest.approx((math.sqrt(2e-5), math.sqrt(0.05), 4))
    weights = (config.lambda_stat, config.lambda_tv, config.lambda_gnorm, config.lambda_ce)
    assert weights == pytest.approx((0.1, 10**0.5, 0.1, 10**-3.5))
    assert config.earlier_share == pytest.approx(1 - 10**-1.5)
    assert config.discriminator_updates == 1


@pytest.mark.parametrize("name", ["found", "found_mnist5k"])
def test_the_arms_of_found_differ_in_what_their_names_say(name):
    space = space_class(name)("laptop")
    arms = {point["arm"]: space.suggestion(point) for point in space.points()}
    found, without = (dict(arms[arm].config) for arm in ("found, gradient norm", "found, no gradient norm"))
    assert found.pop("lambda_gnorm") > without.pop("lambda_gnorm") == 0
    assert found == without
    assert dict(arms["found, gradient norm"].config) == space.settings
    published = DiscriminatorOnlyConfig(**arms["published"].config).model_dump()
    network = ("width", "batch_size", "initial_epochs")
    changed = {field for field, value in DiscriminatorOnlyConfig() if published[field] != value}
    assert changed <= {*network, "pool_slack", "max_updates"}
    assert [published[field] for field in network] == [found[field] for field in network]
    assert [arms[arm].config["generator_depth"] for arm in ("M0_B", "M1_B")] == [0, 1]
    assert {arm: suggestion.method for arm, suggestion in arms.items() if suggestion.method == "gan"} == {
        "M0_B": "gan",
        "M1_B": "gan",
    }


def test_beyond_searches_every_setting_that_changes_the_training():
    space = space_class("beyond")("laptop")
    study = study_of(space)
    searched = {name for _ in range(40) for name in space.suggest(study.ask()).config}
    never = {"seed", "max_strip", "sample_updates", "gradient_norm_reading", "pool_slack"}
    assert searched == set(method_of(space).Config.model_fields) - never


@pytest.mark.parametrize("name", [name for name in SPACES if name.startswith("toy_")])
def test_every_claim_about_a_toy_is_about_three_seeds_or_more(name):
    space = space_class(name)("laptop")
    assert space.claims()
    assert space.scale.seeds >= 3


@pytest.mark.parametrize(
    ("name", "seeds"), [("toy_line", [1, 3, 10]), ("toy_plane", [1, 3, 5]), ("toy_spiral", [1, 5, 20])]
)
def test_the_toys_have_more_seeds_at_larger_scales(name, seeds):
    assert [space_class(name)(scale).scale.seeds for scale in SCALES] == seeds


def test_the_plane_is_five_pairs_of_networks_on_two_data_sets():
    """Tables A.1, A.3 and A.4, section 5.1 and appendix C."""
    space = ToyPlane("laptop")
    assert (space.scale.rounds, space.scale.evaluate_every) == (20_000, 1000)
    documented = {100, 1000, 2000, 3000, 4000, 6000, 8000, 10_000, 15_000, 20_000}
    for scale in (space.scale, ToyPlane("paper").scale):
        assert documented <= {*scale.evaluate_at, *range(0, scale.rounds + 1, scale.evaluate_every)}
    pairs = set()
    for first, config in first_configs(space):
        assert (config.latent_dim, config.init_std, config.batch_size) == (32, 0.1, 64)
        assert config.generator_lr == config.discriminator_lr == 1e-4
        assert (config.beta1, config.weight_decay, config.loss) == (0.5, 1e-5, "non_saturating")
        pairs.add((first.params["dataset"], config.generator_depth, config.discriminator_depth, config.batch_norm))
    models = [(0, 0, "both"), (7, 7, "both"), (7, 7, "generator"), (0, 7, "both"), (7, 0, "both")]
    assert pairs == {(dataset, *model) for dataset in ("swiss_roll", "eight_gaussians") for model in models}
    assert space.num_trials == len(pairs)


def test_the_spiral_has_the_published_weight_beside_none_and_one():
    weights = [config.lambda_gnorm for _, config in first_configs(space_class("toy_spiral")("laptop"))]
    assert sorted(weights) == [0, 1, 50]


def test_the_line_is_judged_in_units_of_the_deviation_and_of_the_line():
    claims = space_class("toy_line")("laptop").claims()
    compared = [claim for claim in claims if callable(claim.lower) and callable(claim.higher)]
    assert sorted(claim.metric for claim in compared) == ["energy", "energy", "energy_absolute", "energy_absolute"]
    assert all(claim.paired_by == (SEED,) for claim in compared)
