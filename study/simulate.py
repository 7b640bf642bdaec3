"""python -m study.simulate NAME: samplers and schedulers on the recorded curves of a study; nothing is trained."""

from __future__ import annotations

import sys
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

from trainables import command_line
from trainables.errors import InputError
from trainables.files import absolute
from trainables.options import Option

if TYPE_CHECKING:
    from study.curves import Curves
    from study.simulation import Search

WHOLE_TRIALS = 24
"""A search has the time in which so many trials could be trained to their end, as in a laptop study."""
PARTS = (0.25, 0.5, 1.0)
"""The shares of that time at which searches are compared."""
BEST = 3
"""A search is lucky if it finds one of so many best recorded trials."""


@dataclass(frozen=True)
class SimulateConfig:
    """Replay the recorded curves of a study through its searcher and schedulers: best so far against simulated time.

    Settings between the recorded ones get the curve of the nearest recorded trial.
    """

    name: Annotated[str, Option(positional=True)]
    """The study, whose trials were trained to their end (--scheduler none), or a file of curves that --save wrote."""
    samplers: tuple[str, ...] = ("tpe", "gp", "random")
    """The samplers to compare."""
    schedulers: tuple[str, ...] = ("asha", "none")
    """The schedulers to compare; with each sampler."""
    grace: tuple[float, ...] = (1 / 3,)
    """The shares of its rounds that a trial has before it may be stopped: where the first rung of asha is."""
    seeds: int = 20
    """How many searches of each kind."""
    save: Annotated[Path | None, Option(placeholder="FILE")] = None
    """Only write the curves of the study to this file."""
    storage_dir: Path = Path("outputs")
    """The folder of the studies."""


def main(arguments: list[str] | None = None) -> int:
    """Run the command line; returns the exit status: 0 done, 2 bad input."""
    return command_line.run(SimulateConfig, "python -m study.simulate", simulate, arguments)


def simulate(config: SimulateConfig) -> int:
    """Do what `config` says; returns the exit status."""
    _check(config)
    curves = _recorded(config)
    if config.save is not None:
        _save(curves, config.save)
        return 0
    from study.simulation import Search

    print(_what_is_replayed(curves))
    searches = [
        Search(sampler, scheduler, grace)
        for sampler in config.samplers
        for scheduler in config.schedulers
        for grace in (config.grace if scheduler != "none" else config.grace[:1])
    ]
    print(_row("search", *(f"best after {part:.0%} of the time" for part in PARTS), f"one of the {BEST} best"))
    print(_row(*["---"] * (len(PARTS) + 2)))
    for search in searches:
        print(_row(*_compared(curves, search, config.seeds)), flush=True)
    return 0


def _recorded(config: SimulateConfig) -> Curves:
    from study.config import StudyConfig
    from study.curves import load_curves, read_curves
    from study.planning import make_plan

    if config.name.endswith(".json"):
        return read_curves(Path(config.name))
    return load_curves(make_plan(StudyConfig(storage_dir=absolute(config.storage_dir), resume=config.name)))


def _save(curves: Curves, file: Path) -> None:
    from study.curves import save_curves

    try:
        save_curves(curves, file)
    except OSError as error:
        raise InputError(f"{file} cannot be written ({error.strerror}): name another file with --save.") from error
    print(file)


def _check(config: SimulateConfig) -> None:
    from study.samplers import check_sampler
    from study.scheduler_names import check_scheduler

    for sampler in config.samplers:
        check_sampler(sampler, 1)
        if sampler == "grid":
            raise InputError("--samplers grid tries every value, and recorded ranges are continuous: leave it out.")
    for scheduler in config.schedulers:
        check_scheduler(scheduler, 1)
        if scheduler == "pbt":
            raise InputError("--schedulers pbt changes settings while trials run, which no recorded curve has done.")
    for share in config.grace:
        if not 0 < share <= 1:
            raise InputError(f"--grace {share:g}: it is a share of the rounds, above 0 and at most 1.")
    if config.seeds < 2:
        raise InputError(f"--seeds is {config.seeds}: it must be at least 2, for the intervals.")


def _what_is_replayed(curves: Curves) -> str:
    ends = sorted(curves.ends, reverse=curves.direction == "maximize")
    return (
        f"{len(curves.curves)} recorded trials of study {curves.study}, {curves.rounds[-1]} rounds each; "
        f"{curves.objective}: best {ends[0]:.4g}, third {ends[2]:.4g}, median {ends[len(ends) // 2]:.4g}.\n"
        "Settings between them get the curve of the nearest recorded trial. Two trials run at once; a search has the "
        f"time of {WHOLE_TRIALS} whole trials.\n"
    )


def _compared(curves: Curves, search: Search, seeds: int) -> list[str]:
    """The cells of a row: the mean over the seeds with its 95% interval at each part of the time."""
    from study.simulation import AT_ONCE, best_so_far

    seconds = WHOLE_TRIALS / AT_ONCE * sum(curve.seconds for curve in curves.curves) / len(curves.curves)
    found = [best_so_far(curves, search, seed, seconds) for seed in range(seeds)]
    rises = curves.direction == "minimize"
    good = sorted(curves.ends, reverse=not rises)[BEST - 1]
    lucky = sum(any(value <= good if rises else value >= good for _, value in of_seed) for of_seed in found)
    name = f"{search.sampler}, {search.scheduler}"
    name += f" from {search.grace:.2g} of the rounds" if search.scheduler != "none" else ""
    worst = max(curves.ends) if rises else min(curves.ends)
    cells = []
    for part in PARTS:
        values = [([worst] + [value for at, value in of_seed if at <= part * seconds])[-1] for of_seed in found]
        cells.append(_mean(values))
    return [name, *cells, f"{lucky} of {seeds}"]


def _mean(values: list[float]) -> str:
    """The mean with its 95% interval, by Student's t."""
    import numpy as np
    from scipy import stats

    half = float(stats.t.ppf(0.975, len(values) - 1) * np.std(values, ddof=1) / np.sqrt(len(values)))
    mean = float(np.mean(values))
    return f"{mean:.1f} ({mean - half:.1f} to {mean + half:.1f})"


def _row(*cells: str) -> str:
    return f"| {' | '.join(cells)} |"


if __name__ == "__main__":
    sys.exit(main())
