"""The names of schedulers, for checks that do not wait for Ray."""

from __future__ import annotations

from trainables.errors import InputError, lookup

SCHEDULERS = ("asha", "hyperband", "median", "pbt", "none")


def default_scheduler(num_objectives: int, every_trial_counts: bool) -> str:
    """Successive halving, unless several objectives leave open which trial is worse, or every trial counts.

    It would stop the very trials that a claim says will fail.
    """
    return "none" if every_trial_counts or num_objectives > 1 else "asha"


def check_scheduler(name: str, num_objectives: int) -> None:
    """Raise `InputError` for an unknown name, and for several objectives with a scheduler that ranks trials."""
    lookup("scheduler", name, dict.fromkeys(SCHEDULERS))
    if num_objectives > 1 and name != "none":
        raise InputError(
            f"scheduler {name!r} ranks trials, and {num_objectives} objectives do not say which trial is worse: "
            "choose 'none', or a single objective."
        )
