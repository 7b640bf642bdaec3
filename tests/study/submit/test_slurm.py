"""The batch script, without a Slurm; tests/integration/test_slurm.py runs it."""

from __future__ import annotations

import re
import shlex
import subprocess
import sys

import pytest

from study.config import StudyConfig
from study.submit.__main__ import main
from trainables.command_line import read

STUDY = ("--backend", "slurm", "--space", "gradnorm", "--name", "s")
HOSTILE = 'it\'s "a" $(touch /tmp/pwned) `id` \\ & ; #!'


def rendered(capsys, *arguments):
    """The script, which bash can read."""
    assert main([*STUDY, *map(str, arguments), "--dry-run"]) == 0
    script = capsys.readouterr().out
    subprocess.run(["bash", "-n"], input=script, text=True, check=True)
    return script


def directives(script):
    """What Slurm is told: option to value."""
    lines = re.findall(r"^#SBATCH --([a-z-]+)(?:=(.*))?$", script, re.MULTILINE)
    return {option: "".join(shlex.split(value)) for option, value in lines}


def test_every_limit_is_said_to_slurm(capsys, tmp_path):
    options = ("--partition", "akya-cuda", "--time", "1-12:00:00", "--account", "proj1", "--qos", "high")
    script = rendered(
        capsys,
        *("--nodes", "4", "--gpus-per-node", "4", "--gpus-per-trial", "0.5", "--cpus-per-trial", "2"),
        *(*options, "--constraint", "v100|a100", "--storage-dir", tmp_path),
    )
    assert directives(script) == {
        "job-name": "s",
        "nodes": "4",
        "ntasks-per-node": "1",
        "cpus-per-task": "16",  # eight trials share the GPUs of a node
        "gres": "gpu:4",
        "partition": "akya-cuda",
        "time": "1-12:00:00",
        "account": "proj1",
        "qos": "high",
        "constraint": "v100|a100",
        "chdir": str(tmp_path),
        "output": f"{tmp_path}/slurm/s-%j.log",
        "open-mode": "append",
        "requeue": "",
        "signal": "B:USR1@120",
        "dependency": "singleton",
    }
    assert "--num-gpus=4" in script


def test_any_other_option_of_sbatch_is_said_to_slurm(capsys, tmp_path):
    others = ("mem=64G", "exclusive", "gres=gpu:a100:2", "mem_per_cpu=2G", f"comment={HOSTILE}")
    script = rendered(
        capsys, "--cpus-per-node", "8", "--storage-dir", tmp_path, "--sbatch", *others, "--mail", "me@example.org"
    )
    said = directives(script)
    expected = {"mem": "64G", "exclusive": "", "gres": "gpu:a100:2", "mem-per-cpu": "2G", "comment": HOSTILE}
    expected |= {"mail-user": "me@example.org", "mail-type": "END,FAIL", "chdir": str(tmp_path)}
    assert {key: said[key] for key in expected} == expected


def test_nothing_that_is_not_asked_for_is_said(capsys, tmp_path):
    script = rendered(capsys, "--cpus-per-node", "8", "--storage-dir", tmp_path)
    assert directives(script).keys().isdisjoint({"gres", "partition", "time", "account", "qos", "constraint"})
    assert "container" not in script.replace("contained", "")
    assert "source" not in script


def test_hostile_values_stay_values(capsys, tmp_path):
    storage = tmp_path / HOSTILE.replace("/", "-")
    setup = tmp_path / "set up; exit.sh"
    setup.touch()
    script = rendered(
        capsys,
        *("--storage-dir", storage, "--setup", setup, "--cpus-per-node", "1"),
        *("--partition", HOSTILE, "--dataset", f"folder:{HOSTILE}"),
    )
    assert directives(script)["partition"] == HOSTILE
    assert directives(script)["output"] == f"{storage}/slurm/s-%j.log"
    assert f"source {shlex.quote(str(setup))} ||" in script
    launch = script[script.index("-m study.launch \\\n") :]
    words = shlex.split(launch[: launch.index(" &\n")].replace("\\\n", " "))[2:]
    config = read(StudyConfig, "test", words)
    assert (config.space, config.name, config.resume, config.storage_dir) == ("gradnorm", "s", "auto", storage)
    assert config.dataset.endswith(HOSTILE.rpartition("/")[2])
    folder = re.search(r"^folder=.*$", script, re.MULTILINE)[0]
    shown = subprocess.run(["bash"], input=f'{folder}\necho "$folder"', text=True, capture_output=True, check=True)
    assert shown.stdout == f"{storage}/slurm\n"


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (
            ["--cpus-per-node", "1", "--address", "10.0.0.1:6379"],
            "starts a Ray cluster of its own: leave out --address",
        ),
        ([], "say how many CPUs each node gives to trials with --cpus-per-node"),
        (["--cpus-per-node", "1", "--time", "soon"], "--time soon: write it as Slurm does"),
        (["--cpus-per-node", "1", "--time", "9:59"], "--time 9:59 is too short"),
        (["--cpus-per-node", "1", "--time", "0:09:59"], "--time 0:09:59 is too short"),
        (["--cpus-per-node", "1", "--setup", "/no/such/file"], "there is no file /no/such/file: check --setup"),
        (["--cpus-per-node", "1", "--container", "/no/such.sif"], "there is no file /no/such.sif: check --container"),
        (["--cpus-per-node", "1", "--partition", "a\n#SBATCH --uid=0"], "cannot be handed to Slurm"),
        (["--cpus-per-node", "1", "--nodes", "0"], "--nodes is 0: it must be at least 1"),
        (["--cpus-per-node", "1", "--queue", "q"], "--queue is not an option of --backend slurm, but of kuberay"),
        (["--cpus-per-node", "1", "--mail", "me"], "--mail 'me' is no address: write it as in name@example.org"),
        (["--cpus-per-node", "1", "--sbatch", "mem="], "--sbatch 'mem=': write KEY=VALUE or KEY with the long names"),
        (["--cpus-per-node", "1", "--sbatch", "N=2"], "--sbatch 'N=2': write KEY=VALUE or KEY"),
        (["--cpus-per-node", "1", "--sbatch", "a=b\n#SBATCH --uid=0"], "write KEY=VALUE or KEY"),
        (["--cpus-per-node", "1", "--sbatch", "partition=p"], "--sbatch partition=p: say --partition instead"),
        (["--cpus-per-node", "1", "--sbatch", "job_name=x"], "say --name instead"),
        (["--cpus-per-node", "1", "--sbatch", "array=1-4"], "--sbatch array=1-4: the script sets it itself, leave it"),
        (["--cpus-per-node", "1", "--qos", ""], "--qos '' cannot be handed to Slurm"),
        (["--cpus-per-node", "1", "--storage-dir", "/tmp/100%j"], "choose a path without % and line breaks"),
    ],
)
def test_bad_input_is_one_sentence(refused, arguments, sentence):
    assert sentence in refused(*STUDY, *arguments)


@pytest.mark.parametrize("time", ["10", "10:30", "0:10:00", "1-0", "1-0:0", "1-0:0:0"])
def test_slurms_ways_to_write_a_time(capsys, tmp_path, time):
    script = rendered(capsys, "--cpus-per-node", "1", "--time", time, "--storage-dir", tmp_path)
    assert directives(script)["time"] == time


def test_a_container_sees_the_file_of_a_space(capsys, space_file, tmp_path):
    image = tmp_path / "image.sif"
    image.touch()
    where = ("--storage-dir", tmp_path / "out", "--cpus-per-node", "1", "--space", f"{space_file}:Mine")
    inside = f"apptainer exec --bind {tmp_path}/out --bind {space_file.parent} {image}"
    assert f"python=({inside} python)" in rendered(capsys, *where, "--container", image)
    mounts = f"/tmp:/tmp,{tmp_path}/out:{tmp_path}/out,{space_file.parent}:{space_file.parent}"
    assert f"--container-mounts={mounts})" in rendered(capsys, *where, "--container", "registry#image")


def test_images_of_apptainer_and_of_pyxis(capsys, tmp_path):
    image = tmp_path / "an image.sif"
    image.touch()
    where = ("--storage-dir", tmp_path / "out", "--gpus-per-node", "1", "--gpus-per-trial", "1")
    apptainer = rendered(capsys, *where, "--container", image)
    inside = f"apptainer exec --nv --bind {tmp_path}/out {shlex.quote(str(image))}"
    assert f"python=({inside} python)" in apptainer
    assert f"ray=({inside} ray)" in apptainer
    pyxis = rendered(capsys, *where, "--container", "nvcr.io#nvidia/pytorch:25.01-py3")
    mounts = f"--container-mounts=/tmp:/tmp,{tmp_path}/out:{tmp_path}/out"
    assert f"contained=(--container-image='nvcr.io#nvidia/pytorch:25.01-py3' {mounts})" in pyxis


def test_gpus_are_shared_by_the_job(capsys, tmp_path):
    image = tmp_path / "image.sif"
    image.touch()
    where = ("--storage-dir", tmp_path / "out", "--gpus-per-node", "1")
    shared = rendered(capsys, *where, "--gpus-per-trial", "0.25")
    python = shlex.quote(sys.executable)
    assert f"ray=({python} -m study.nodes.sharing {python} -m ray.scripts.scripts)" in shared
    assert "image.sif python -m study.nodes.sharing ray)" in rendered(
        capsys, *where, "--gpus-per-trial", "0.25", "--container", image
    )
    assert "study.nodes.sharing" not in rendered(capsys, *where, "--gpus-per-trial", "1")


def test_the_file_of_a_space_is_named_so_that_it_is_found_from_anywhere(capsys, space_file, tmp_path, monkeypatch):
    (tmp_path / "shared").symlink_to(space_file.parent)
    monkeypatch.chdir(tmp_path)
    script = rendered(capsys, "--space", "./shared/mine.py:Mine", "--cpus-per-node", "1")
    assert f"    --space {tmp_path}/shared/mine.py:Mine \\\n" in script  # links mean on the nodes what they mean there


def test_without_slurm_nothing_is_written(refused, tmp_path, monkeypatch):
    monkeypatch.setenv("PATH", str(tmp_path))
    shown = refused(*STUDY, "--cpus-per-node", "1", "--storage-dir", tmp_path / "out")
    assert shown.startswith("error: there is no sbatch here: ")
    assert not (tmp_path / "out").exists()


def test_a_job_does_not_inherit_the_job_that_it_is_submitted_from(capsys, tmp_path, monkeypatch):
    sbatch = tmp_path / "bin" / "sbatch"
    sbatch.parent.mkdir()
    sbatch.write_text(f"#!/bin/sh\nenv > {tmp_path}/environment\necho 7\n")
    sbatch.chmod(0o755)
    monkeypatch.setenv("PATH", f"{sbatch.parent}:/usr/bin:/bin")
    theirs = ("SLURM_JOB_ID", "SLURM_CPU_BIND", "SLURM_MEM_PER_CPU", "SBATCH_MEM_PER_NODE", "SRUN_CPUS_PER_TASK")
    for name in (*theirs, "SLURM_CONF", "MY_TOKEN"):
        monkeypatch.setenv(name, "said")
    assert main([*STUDY, "--cpus-per-node", "2", "--storage-dir", str(tmp_path / "out")]) == 0
    assert "job 7" in capsys.readouterr().out
    found = {line.partition("=")[0] for line in (tmp_path / "environment").read_text().splitlines()}
    assert not found & set(theirs)
    assert {"SLURM_CONF", "MY_TOKEN"} <= found


def test_a_time_without_limit(capsys, tmp_path):
    for time in ("UNLIMITED", "infinite"):
        options = ("--cpus-per-node", "2", "--time", time, "--storage-dir", tmp_path)
        assert directives(rendered(capsys, *options))["time"] == time


def test_ray_is_found_where_its_command_is_not_beside_python(capsys, tmp_path):
    script = rendered(capsys, "--cpus-per-node", "2", "--storage-dir", tmp_path)
    command = shlex.split(re.search(r"^ray=\((.*)\)$", script, re.MULTILINE)[1])
    assert "version" in subprocess.check_output([*command, "--version"], text=True)
