"""Spaces from outside: what is refused in a sentence, and what a study keeps of their file."""

from __future__ import annotations

import re
import subprocess
import sys
import textwrap
from importlib.metadata import EntryPoint

import optuna
import pytest

from study import outside
from study.config import StudyConfig
from study.launch import main
from study.optuna_storage import find_study
from study.plan import study_json
from study.planning import make_plan
from study.trial_specs import make_spec
from trainables.errors import InputError

GOOD = """
from search_spaces.gradnorm import GradNorm
from trainables.methods.discriminator_only import DiscriminatorOnly


class Mine(GradNorm):
    name = "mine"
    method = "{module}:Method"


class Method(DiscriminatorOnly):
    pass


class NoSpace:
    pass
"""


@pytest.fixture
def write(tmp_path, request):
    """Writes a file of this test's own name; forgets its module afterwards."""
    name = f"outside_{abs(hash(request.node.nodeid)) % 10**8}"

    def file(content=GOOD, folder=tmp_path):
        path = folder / f"{name}.py"
        path.write_text(textwrap.dedent(content).replace("{module}", name))
        return path

    yield file
    sys.modules.pop(name, None)


@pytest.fixture
def plan(tmp_path):
    return lambda **settings: make_plan(StudyConfig(scale="smoke", storage_dir=tmp_path / "out", **settings))


@pytest.fixture
def started(plan, write):
    """A study of a space from outside that has been set up, and the file."""
    path = write()
    made = plan(space=f"{path}:Mine", name="s")
    made.folder.path.mkdir(parents=True)
    made.outside.copy_to(made.folder.outside)
    made.folder.write(study_json(made))
    find_study(made.optuna_storage, "s", must_exist=False)
    sys.modules.pop(path.stem)  # what follows is another process
    return made, path


def test_a_space_and_its_method_in_a_file(plan, write):
    path = write()
    made = plan(space=f"{path}:Mine")
    assert made.space.name == "mine"
    assert made.outside == outside.OutsideFile(path, outside.sha256_of(path))
    assert str(path.parent) not in sys.path
    assert study_json(made)["outside"] == {"file": path.name, "sha256": made.outside.sha256}


def test_trials_are_told_where_the_copy_is(started):
    made, path = started
    trial = make_plan(StudyConfig(resume="s", storage_dir=made.storage))
    spec = make_spec(trial, optuna.create_study().ask(), trial.protocols)
    assert spec.outside == str(made.folder.path / "outside")
    assert (made.folder.outside / path.name).read_bytes() == path.read_bytes()


def test_a_relative_path_is_one_from_here(plan, write, monkeypatch):
    path = write()
    monkeypatch.chdir(path.parent)
    assert plan(space=f"./{path.name}:Mine").config.space == f"{path}:Mine"


def test_a_study_goes_on_with_its_copy(started, plan):
    made, path = started
    path.write_text("raise RuntimeError('changed')")
    resumed = plan(resume="s")
    assert resumed.is_resumed
    assert resumed.outside.path == made.folder.outside / path.name
    assert study_json(resumed) == study_json(made)
    sys.modules.pop(path.stem)
    path.unlink()
    assert plan(resume="s").space.name == "mine"


def test_the_same_file_elsewhere_goes_on_and_another_class_does_not(started, plan, tmp_path):
    _, path = started
    moved = tmp_path / "elsewhere"
    moved.mkdir()
    path.rename(moved / path.name)
    assert plan(space=f"{moved / path.name}:Mine", name="s", resume="auto").is_resumed
    with pytest.raises(InputError, match="it cannot go on with --space"):
        plan(space=f"{moved / path.name}:Other", name="s", resume="auto")


@pytest.mark.parametrize("damage", [lambda path: path.unlink(), lambda path: path.write_text("x = 1")])
def test_a_copy_that_was_changed_is_not_trusted(started, plan, damage):
    made, path = started
    damage(made.folder.outside / path.name)
    with pytest.raises(InputError, match="is not the file that the study was started with"):
        plan(resume="s")


def test_a_new_study_from_the_file_of_another_uses_that_ones_copy(started, plan):
    made, path = started
    path.write_text("raise RuntimeError('changed')")
    new = plan(from_file=made.folder.study_json)
    assert new.outside == outside.OutsideFile(made.folder.outside / path.name, made.outside.sha256)
    assert not new.is_resumed


def test_a_module_of_an_installed_package(plan):
    made = plan(space="search_spaces.gradnorm:GradNorm")
    assert (made.space.name, made.outside) == ("gradnorm", None)


def test_an_entry_point(plan, monkeypatch, capsys):
    entry = EntryPoint("theirs", "search_spaces.gradnorm:GradNorm", "generative_study.spaces")
    broken = EntryPoint("broken", "no_such_package:Space", "generative_study.spaces")
    monkeypatch.setattr(
        "trainables.registry.entry_points",
        lambda group: [entry, broken] if group == "generative_study.spaces" else [],
    )
    assert plan(space="theirs").space.name == "gradnorm"
    assert main(["--list"]) == 0
    shown = capsys.readouterr().out
    assert "  theirs           discriminator-only generation" in shown
    assert "  broken           the module 'no_such_package' of the space cannot be imported" in shown


EMPTY = """
from search_spaces.space import SearchSpace


class Mine(SearchSpace):
    pass
"""

SUGGESTING = """
from search_spaces.gradnorm import GradNorm
from search_spaces.space import Suggestion


class Mine(GradNorm):
    name = "mine"

    def suggest(self, trial):
        {body}
"""


@pytest.mark.parametrize(
    ("content", "sentence"),
    [
        (
            "import no_such_module\nx = 1",
            r"cannot be imported \(ModuleNotFoundError: No module named 'no_such_module'\)",
        ),
        ("def f(:", r"cannot be imported \(SyntaxError: "),
        ("raise ValueError('first line\\nsecond')", r"cannot be imported \(ValueError: first line\)"),
        ("class Mime: pass", "unknown class of .* 'Mine': did you mean 'Mime'"),
        ("class Mine: pass", "is not a subclass of SearchSpace"),
        (
            "from search_spaces.space import SearchSpace\nclass Mine(SearchSpace): pass",
            "it lacks name, method, scales, suggest",
        ),
        (GOOD.replace('"mine"', '"my/space"'), "is called 'my/space': use up to 100 letters"),
        (GOOD.replace("{module}:Method", "gam"), "unknown method 'gam': did you mean 'gan'"),
        (GOOD.replace("{module}:Method", "{module}:Metod"), "unknown class of .* 'Metod': did you mean 'Method'"),
        (GOOD.replace("{module}:Method", "{module}:NoSpace"), "is not a subclass of Method"),
        (GOOD.replace("{module}:Method", "discriminator_only_points"), "sets width of discriminator_only_points"),
        (SUGGESTING.format(body="return {'image_lr': 0.1}"), "suggests a dict: it must return a Suggestion"),
        (
            SUGGESTING.format(body="return Suggestion({'image_lrr': 0.1})"),
            "sets image_lrr of discriminator_only to 0.1",
        ),
        (
            SUGGESTING.format(body="return Suggestion({'image_lr': trial.number})"),
            "sets image_lr .* to 0: Input should be greater",
        ),
        (
            SUGGESTING.format(body="return Suggestion({'start': 'earlier', 'earlier_share': 0})"),
            "'mine' sets values that discriminator_only refuses: earlier_share is 0, so no image [^{}]*",
        ),
        (SUGGESTING.format(body="return Suggestion({}, 'mnist')"), "suggests data set 'mnist', which is not among its"),
        (SUGGESTING.format(body="return self.nothing"), r"cannot suggest a trial \(AttributeError: "),
    ],
)
def test_what_is_wrong_with_a_space_is_one_sentence(capsys, tmp_path, write, content, sentence):
    path = write(content)
    arguments = ["--space", f"{path}:Mine", "--scale", "smoke", "--storage-dir", str(tmp_path / "out")]
    assert main(arguments) == 2
    captured = capsys.readouterr()
    assert re.fullmatch(f"error: .*{sentence}.*\n", captured.err), captured.err
    assert not (tmp_path / "out").exists()


def test_what_only_a_random_suggestion_gets_wrong_is_found(plan, write):
    """The first trials are as they should be; a third of the others is not."""
    body = "return Suggestion({'image_lr': trial.suggest_float('image_lr', -5, 10)})"
    first = "\n    def first_trials(self):\n        return []\n"
    path = write(SUGGESTING.format(body=body) + first)
    with pytest.raises(InputError, match="sets image_lr of discriminator_only to -"):
        plan(space=f"{path}:Mine")


def test_a_measure_that_the_method_cannot_answer(plan, write):
    path = write(
        """
        from search_spaces.gradnorm import GradNorm
        from trainables.methods.discriminator_only import DiscriminatorOnlyConfig
        from trainables.methods.base import Method as Base


        class Mine(GradNorm):
            name = "mine"
            method = "{module}:Method"


        class Method(Base):
            Config = DiscriminatorOnlyConfig
            state = ()
        """
    )
    with pytest.raises(InputError, match="measure 'fidelity' needs a method that samples"):
        plan(space=f"{path}:Mine")


def test_files_that_cannot_be(plan, write, tmp_path):
    with pytest.raises(InputError, match=r"there is no file .*nothing\.py: check --space"):
        plan(space=f"{tmp_path}/nothing.py:Mine")
    with pytest.raises(InputError, match="name the class too"):
        plan(space=str(write()))
    for name, sentence in (("my-space.py", "my-space.py cannot be imported: name it with"), ("json.py", "'json'")):
        (tmp_path / name).write_text("")
        with pytest.raises(InputError, match=sentence):
            plan(space=f"{tmp_path / name}:Mine")


def test_a_file_that_imports_another_beside_it(plan, write, tmp_path, monkeypatch):
    monkeypatch.syspath_prepend(tmp_path)
    (tmp_path / "beside_it.py").write_text("x = 1")
    path = write("import beside_it\n" + GOOD)
    with pytest.raises(InputError, match=r"imports beside_it\.py, which is beside it and would not reach the trials"):
        plan(space=f"{path}:Mine")
    del sys.modules["beside_it"]


def test_a_process_that_has_nothing_but_the_spec_finds_the_copy_first(started, tmp_path):
    """As a worker: the folder in which the study was started, with a newer file, is on its path."""
    made, path = started
    resumed = make_plan(StudyConfig(resume="s", storage_dir=made.storage))
    spec = make_spec(resumed, optuna.create_study().ask(), resumed.protocols)
    path.write_text("raise RuntimeError('changed')")
    code = (
        f"import sys; sys.path.insert(0, {str(path.parent)!r})\n"
        "from trainables.trial_spec import TrialSpec\n"
        "from trainables.methods.base import method_class\n"
        "spec = TrialSpec.model_validate_json(sys.stdin.read())\n"
        "print(sys.modules[method_class(spec.method).__module__].__file__)"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], input=spec.model_dump_json(), capture_output=True, text=True, check=True
    )
    assert done.stdout.strip() == str(made.folder.outside / path.name)


def test_before_the_study_has_a_folder_nodes_are_shown_a_copy(plan, write):
    made = plan(space=f"{write()}:Mine")
    made.storage.mkdir()
    with outside.staged(made.outside, made.storage) as folder:
        assert [path.name for path in folder.iterdir()] == [made.outside.path.name]
        assert folder.parent == made.storage
    assert list(made.storage.iterdir()) == []
    with outside.staged(None, made.storage) as folder:
        assert folder is None
