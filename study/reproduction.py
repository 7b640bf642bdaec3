"""python -m study.reproduction: every published figure and claim beside ours, from stored results, as a page.

The results are files of `python -m study.report NAME --export docs/results/SPACE.json`, or `SPACE-DATASET.json` where
another data set than the space's own was said. A text about a space's results, such as what was tried to explain a
contradiction, is in `docs/results/SPACE.md` and is taken over as it is.
"""

from __future__ import annotations

import json
import sys
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any

from search_spaces import SPACES
from search_spaces.claim import Claim
from search_spaces.space import SearchSpace
from trainables import command_line
from trainables.errors import InputError
from trainables.options import Option
from trainables.registry import resolve

PUBLISHED_SCALE = "paper"
VERDICTS = ("supported", "contradicted", "undecided")
NOT_MEASURED = "not measured"

HEAD = """# The documents' figures and claims beside ours

`python -m study.reproduction` makes this page from the stored results in `docs/results`; change those, not the page.
[references.md](references.md) resolves the documents, [claims.md](claims.md) says which claims no number tests and how
sentences are read, [metrics.md](metrics.md) what the numbers mean.

- A **published figure** is of one training. It *agrees* with ours if it is within the 95% prediction interval for one
  more run beside our seeds, else ours are *higher* or *lower*. Ours of another scale than `paper` are not compared.
- A **claim** has two verdicts: for itself, by a 95% interval, and after Holm's correction over all claims of its
  document in the study. Each seed is a value; n counts those of the two groups.
"""


@dataclass(frozen=True)
class ReproductionConfig:
    """Write the page that sets the published figures and the claims beside the stored results."""

    results: Annotated[Path, Option(placeholder="FOLDER")] = Path("docs/results")
    """Where the exported results are: SPACE.json and SPACE-DATASET.json."""
    out: Annotated[Path, Option(placeholder="FILE")] = Path("docs/reproduction.md")
    """The page."""


def main(arguments: list[str] | None = None) -> int:
    """Run the command line; returns the exit status."""
    return command_line.run(ReproductionConfig, "python -m study.reproduction", write, arguments)


def write(config: ReproductionConfig) -> int:
    """Write the page; returns 0."""
    if not config.results.is_dir():
        raise InputError(f"there is no folder {config.results}: name the one with the exported results.")
    config.out.write_text(page(config.results), encoding="utf-8")
    return 0


def page(results: Path) -> str:
    """The text of the page; raises `InputError` where a file of results cannot be read."""
    parts = []
    for name in SPACES:
        space = resolve("space", name, SPACES, SearchSpace)(PUBLISHED_SCALE)  # type: ignore[type-abstract]
        if space.claims() or any(first.published for first in space.first_trials()):
            for file in (results / f"{name}.json", *sorted(results.glob(f"{name}-*.json"))):
                parts.append(_Part(space, _read(file), _text(file.with_suffix(".md")), file.stem.replace("-", " on ")))
    measured = [part for part in parts if part.stored]
    lines = [HEAD, *_table(SUMMARY, [part.summary() for part in parts]), ""]
    for part in [*measured, *(part for part in parts if not part.stored)]:
        lines += part.section()
    return "\n".join(lines)


SUMMARY = ("space", "scale", "seeds", "claims", *VERDICTS, "published figures", "that agree")


@dataclass(frozen=True)
class _Part:
    """What the page says of a space."""

    space: SearchSpace
    stored: Mapping[str, Any]
    text: str
    title: str

    def summary(self) -> list[str]:
        figures = list(self._figures())
        name = f"[{self.title}](#{self.title.replace(' ', '-')})"
        if not self.stored:
            return [name, NOT_MEASURED, "-", str(len(self.space.claims())), "-", "-", "-", str(len(figures)), "-"]
        verdicts = Counter(claim["verdict"] for claim in self.stored["claims"])
        agreeing = sum(row[-1] == "agrees" for row in figures)
        return [
            name,
            self.stored["scale"],
            str(max(len(values) for trial in self.stored["trials"] for values in trial["seeds"].values())),
            str(len(self.stored["claims"])),
            *(str(verdicts[verdict]) for verdict in VERDICTS),
            str(len(figures)),
            str(agreeing),
        ]

    def section(self) -> Iterator[str]:
        yield f"## {self.title}"
        yield ""
        yield f"{self.space.description[0].upper()}{self.space.description[1:]}."
        yield ""
        commit = f" (commit {self.stored['commit'][:10]})" if self.stored else f" ({NOT_MEASURED} here)"
        command = f"python -m study.launch --space {self.space.name} --scale {PUBLISHED_SCALE}"
        yield f"`{self.stored.get('command', command)}`{commit}"
        yield ""
        if figures := list(self._figures()):
            yield from _table(("setting", "metric", "published", "here", "scale", "verdict"), figures)
            yield ""
        if self.stored:
            header = ("claim", "source", "metric", "said to be lower", "said to be higher", "n", "verdict", "by Holm")
            yield from _table((*header, "effect"), [_claim(claim) for claim in self.stored["claims"]])
        elif claims := self.space.claims():
            yield from _table(("claim", "source", "metric"), [_unmeasured(claim) for claim in claims])
        yield ""
        if self.text:
            yield self.text

    def _figures(self) -> Iterator[list[str]]:
        """A row per published figure of a setting, beside the seeds of all its trials."""
        from study.reporting.numbers import NOTHING, shown, with_deviation

        scale = self.stored.get("scale", NOT_MEASURED)
        seeds = {trial["first_trial"]: trial["seeds"] for trial in self.stored.get("trials", ())}
        figures: dict[tuple[str, str, float], list[float]] = {}
        for first in self.space.first_trials():
            for metric, value in first.published.items():
                ours = figures.setdefault((first.setting, metric, value), [])
                ours += seeds.get(first.name, {}).get(metric, [])
        for (setting, metric, value), ours in figures.items():
            here = with_deviation(ours) if ours else NOTHING
            verdict = _agreement(value, ours) if scale in (PUBLISHED_SCALE, NOT_MEASURED) else "another scale"
            yield [setting, metric, shown(value), here, scale, verdict]


def _agreement(published: float, ours: Sequence[float]) -> str:
    """Whether one more run could give the published figure, by Student's prediction interval of 95%."""
    import numpy as np
    from scipy import stats

    if not ours:
        return NOT_MEASURED
    if len(ours) < 2:
        return "one run"
    mean, deviation, n = float(np.mean(ours)), float(np.std(ours, ddof=1)), len(ours)
    margin = float(stats.t.ppf(0.975, n - 1)) * deviation * (1 + 1 / n) ** 0.5
    return "agrees" if abs(published - mean) <= margin else "ours higher" if mean > published else "ours lower"


def _claim(claim: Mapping[str, Any]) -> list[str]:
    from study.reporting.numbers import with_deviation

    sides = [[v for v in claim[side] if v is not None] for side in ("lower", "higher")]
    counts = ", ".join(str(len(claim[side])) for side in ("lower", "higher"))
    return [
        *(str(claim[name]) for name in ("claim", "source", "metric")),
        *(with_deviation(side).partition(" (")[0] for side in sides),
        counts,
        claim["verdict"],
        claim["verdict_holm"],
        claim["effect"],
    ]


def _unmeasured(claim: Claim) -> list[str]:
    return [claim.text, claim.source, claim.reported_as]


def _table(header: Sequence[str], rows: Sequence[Sequence[str]]) -> list[str]:
    from study.reporting.document import Table
    from study.reporting.markdown import table

    return table(Table(header, rows))


def _read(file: Path) -> Mapping[str, Any]:
    """The stored results of a space; empty if there are none."""
    if not file.is_file():
        return {}
    try:
        stored = json.loads(file.read_text(encoding="utf-8"))
    except ValueError as error:
        raise InputError(f"{file} is no file of results: export the study again.") from error
    if "scale" not in stored:
        raise InputError(f"{file} was exported by an older version of this program: export the study again.")
    return stored


def _text(file: Path) -> str:
    return file.read_text(encoding="utf-8") if file.is_file() else ""


if __name__ == "__main__":
    sys.exit(main())
