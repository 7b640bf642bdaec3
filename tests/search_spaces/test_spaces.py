"""What every space promises, and what the two of the thesis of 2022 are."""

from __future__ import annotations

import optuna
import pytest
from trainables.metrics.names import direction

from search_spaces import SPACES
from search_spaces.ablation import Ablation
from search_spaces.gradnorm import GradNorm
from trainables.data.points import POINT_SETS
from trainables.data.sources import SOURCES
from trainables.errors import InputError
from trainables.methods import METHODS

SCALES = ("smoke", "laptop", "paper")


@pytest.fixture(params=[(name, scale) for name in SPACES for scale in SCALES], ids="-".join)
def space(request):
    name, scale = request.param
    return SPACES[name](scale)


def suggest(space, trial):
    suggested = space.suggest(trial)
    if space.datasets:
        assert suggested.pop("dataset") in space.datasets
    return METHODS[space.method].Config(**{**space.scale.fixed, **suggested})


def study_of(space, seed=0):
    return optuna.create_study(sampler=optuna.samplers.RandomSampler(seed=seed))


def test_names_exist(space):
    assert SPACES[space.name] is type(space)
    assert space.method in METHODS
    assert space.scale.dataset in SOURCES
    assert all(direction(metric) for metric in space.objectives)
    assert set(space.scales) == set(SCALES)


def test_first_trials_are_valid_and_complete(space):
    """Optuna asks for nothing that a first trial does not say, and takes each value as it stands."""
    study = study_of(space)
    for first in space.first_trials():
        study.enqueue_trial(dict(first.params))
        trial = study.ask()
        suggest(space, trial)
        assert trial.params == dict(first.params)


def test_suggestions_are_configs_of_the_method(space):
    study = study_of(space)
    configs = [suggest(space, study.ask()) for _ in range(50)]
    assert len({config.model_dump_json() for config in configs}) > 1


def test_a_claim_compares_groups_of_trials_that_the_space_has(space):
    study = study_of(space)
    for first in space.first_trials():
        study.enqueue_trial(dict(first.params))
    trials = []
    for _ in range(150):
        trial = study.ask()
        space.suggest(trial)
        trials.append(trial.params)
    for claim in space.claims():
        groups = [group for group in (claim.lower, claim.higher) if callable(group)]
        assert groups
        members = [{number for number, params in enumerate(trials) if group(params)} for group in groups]
        assert all(members)
        assert len(groups) == 1 or not members[0] & members[1]


def test_laptop_needs_no_download_and_no_gpu():
    for name in SPACES:
        scale = SPACES[name]("laptop").scale
        assert scale.dataset in ("digits", "mnist5k", *POINT_SETS)
        assert scale.gpus_per_trial == 0


def test_an_unknown_scale_is_named():
    with pytest.raises(InputError, match="unknown scale 'laptp': did you mean 'laptop'"):
        GradNorm("laptp")


def test_ablation_is_the_seven_variants_with_every_seed():
    space = Ablation("laptop")
    study = study_of(space)
    terms = set()
    for first in space.first_trials():
        study.enqueue_trial(dict(first.params))
        config = suggest(space, study.ask())
        assert config.lambda_stat == 100
        assert config.discriminator_lr == 1e-4
        assert config.image_lr == 0.01
        terms.add((config.lambda_tv, config.lambda_ce, config.lambda_gnorm, config.seed))
    tv, ce, gnorm = 1e-3, 1e-4, 50
    variants = [(0, 0, 0), (tv, 0, 0), (0, ce, 0), (0, 0, gnorm), (tv, 0, gnorm), (0, ce, gnorm), (tv, ce, gnorm)]
    assert terms == {(*variant, seed) for variant in variants for seed in range(3)}
    assert space.exhaustive
    assert space.scale.trials == len(terms) == len(space.first_trials())


def test_at_paper_scale_gradnorm_starts_with_the_published_settings():
    space = GradNorm("paper")
    first = space.first_trials()[0]
    study = study_of(space)
    study.enqueue_trial(dict(first.params))
    assert suggest(space, study.ask()).model_dump(exclude={"pool_slack"}) == METHODS[space.method].Config().model_dump(
        exclude={"pool_slack"}
    )
    assert first.published == {"fid_inception_best": 25.26}


def test_a_weight_can_be_off_or_anything_in_its_range():
    space = GradNorm("laptop")
    study = study_of(space)
    weights = [suggest(space, study.ask()).lambda_gnorm for _ in range(300)]
    on = [weight for weight in weights if weight > 0]
    assert 200 < len(on) < 280  # four decades of five
    assert min(on) < 2e-2
    assert max(on) > 50
    assert all(1e-2 <= weight <= 1e2 for weight in on)


@pytest.mark.parametrize("name", [name for name in SPACES if name.startswith("toy_")])
def test_every_claim_about_a_toy_is_about_three_seeds_or_more(name):
    space = SPACES[name]("laptop")
    first = [trial.params for trial in space.first_trials()]
    assert space.claims()
    for claim in space.claims():
        groups = [
            [params for params in first if side(params)] for side in (claim.lower, claim.higher) if callable(side)
        ]
        assert all(len({params["seed"] for params in group}) >= 3 for group in groups)


def test_the_plane_is_five_pairs_of_networks_on_two_data_sets():
    """Tables A.1, A.3 and A.4, section 5.1 and appendix C."""
    space = SPACES["toy_plane"]("laptop")
    assert (space.scale.rounds, space.scale.first_evaluation, space.scale.evaluate_every) == (20_000, 100, 1000)
    study = study_of(space)
    pairs = set()
    for first in space.first_trials():
        study.enqueue_trial(dict(first.params))
        config = suggest(space, study.ask())
        assert (config.latent_dim, config.init_std, config.batch_size) == (32, 0.1, 64)
        assert config.generator_lr == config.discriminator_lr == 1e-4
        assert (config.beta1, config.weight_decay, config.loss) == (0.5, 1e-5, "non_saturating")
        pairs.add((first.params["dataset"], config.generator_depth, config.discriminator_depth, config.batch_norm))
    models = [(0, 0, "both"), (7, 7, "both"), (7, 7, "generator"), (0, 7, "both"), (7, 0, "both")]
    assert pairs == {(dataset, *model) for dataset in ("swiss_roll", "eight_gaussians") for model in models}
    assert len(space.first_trials()) == 3 * len(pairs)
