"""Everything that a trial needs to know."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

from pydantic import BaseModel, ConfigDict, Field, model_validator

from trainables.methods.base import method_class
from trainables.precision import Precision
from trainables.protocol import Protocol
from trainables.registry import look_in

SEED_STEP = 1_000_003
"""Between the seeds of a trial's repetitions: a prime above the number of trials, whose seeds are neighbours."""


class TrialSpec(BaseModel):
    """JSON in, JSON out, the same on every machine of a cluster."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    number: int = Field(ge=0, description="the trial's number in its study")
    method: str
    config: dict[str, Any] = Field(description="the method's own settings")
    params: dict[str, Any] = Field(default_factory=dict, description="what Optuna suggested")
    log_scales: dict[str, float] = Field(
        default_factory=dict, description="of the params that are searched on a log scale, the smallest values"
    )
    first_trial: str | None = Field(None, description="its name, if the trial was not suggested but enqueued")
    revived: int | None = Field(None, ge=0, description="the trial that was stopped early and goes on as this one")
    rounds: int = Field(ge=1, description="the budget, in the method's rounds")
    evaluate_every: int = Field(ge=1, description="rounds between two evaluations")
    evaluate_at: tuple[Annotated[int, Field(ge=1)], ...] = Field((), description="rounds of further evaluations")
    precision: Precision = Field("fp32", description="in which layers multiply in training; evaluation is in fp32")
    seeds: int = Field(1, ge=1, description="repetitions of the trial, each with the budget, that are averaged")
    protocol: Protocol
    objective: str = Field(description="the full name of the metric that decides which weights are kept")
    curves: tuple[str, ...] = Field((), description="properties of curves to report at the end, as in `energy_early`")
    cache_dir: str = Field(description="where data sets and classifiers are, absolute")
    folder: str = Field(description="where the trial keeps checkpoints, pictures and the best weights, absolute")
    outside: str | None = Field(None, description="a folder of modules that are not installed, absolute")

    @model_validator(mode="before")
    @classmethod
    def _find_modules(cls, value: Any) -> Any:
        """Before the protocol is read: its measures may be in a module of `outside`."""
        if isinstance(value, dict):
            look_in(value.get("outside"))
        return value

    def repetition(self, k: int) -> TrialSpec:
        """Repetition `k` as a spec of its own: seed `seed + k * SEED_STEP`, in the folder `seed-<k>`."""
        seed = method_class(self.method).Config.model_validate(self.config).seed + k * SEED_STEP
        changed = {"config": self.config | {"seed": seed}, "seeds": 1, "folder": str(Path(self.folder) / f"seed-{k}")}
        return self.model_copy(update=changed)
