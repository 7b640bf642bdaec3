"""How trials share a GPU. The programs of NVIDIA's driver are stood in for by scripts: they need a card."""

from __future__ import annotations

import os
import subprocess
import sys

import pytest

from study.nodes.sharing import CONTROL, PIPES, shared_gpus, why_no_mps

# As the real one: in the foreground it makes a socket, and ends when another one says "quit".
CONTROLLER = """#!/bin/sh
echo "$@ [$CUDA_VISIBLE_DEVICES]" >> {folder}/calls
[ "$1" = -f ] || {{ cat > {folder}/quit; exit; }}
touch "$CUDA_MPS_PIPE_DIRECTORY/control"
while [ ! -e {folder}/quit ]; do sleep 0.05; done
"""


@pytest.fixture
def gpus(tmp_path, monkeypatch):
    """Makes a machine with these lines of nvidia-smi."""
    programs = tmp_path / "bin"
    programs.mkdir()
    monkeypatch.setenv("PATH", f"{programs}:/usr/bin:/bin")
    monkeypatch.delenv(PIPES, raising=False)
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "1")

    def make(*lines, controller=CONTROLLER):
        scripts = {"nvidia-smi": "#!/bin/sh\n" + "".join(f"echo '{line}'\n" for line in lines)}
        scripts[CONTROL] = controller.format(folder=tmp_path)
        for name, text in scripts.items():
            (programs / name).write_text(text)
            (programs / name).chmod(0o755)
        return tmp_path

    return make


@pytest.mark.parametrize(
    ("line", "reason"),
    [
        ("NVIDIA A100-SXM4-40GB, 8.0, Disabled", None),
        ("Tesla V100-SXM2-16GB, 7.0, [N/A]", None),
        ("NVIDIA A100-SXM4-40GB, 8.0, Enabled", "NVIDIA A100-SXM4-40GB is split by MIG"),
        ("Tesla P100-PCIE-16GB, 6.0, [N/A]", "Tesla P100-PCIE-16GB is older than Volta"),
    ],
)
def test_mps_is_refused_where_it_cannot_be(gpus, line, reason):
    gpus("NVIDIA H100, 9.0, Disabled", line)
    assert why_no_mps() is None if reason is None else why_no_mps().startswith(reason)


def test_without_a_card_trials_take_turns(tmp_path, monkeypatch):
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.delenv(PIPES, raising=False)
    with shared_gpus() as sentence:
        assert sentence == f"Trials share GPUs by time slices: there is no {CONTROL} here."
        assert PIPES not in os.environ


def test_mps_runs_beside_the_study_and_ends_with_it(gpus):
    folder = gpus("NVIDIA A100-SXM4-40GB, 8.0, Disabled")
    with shared_gpus() as sentence:
        assert sentence == "Trials share GPUs by MPS, which ends with the study."
        pipes = os.environ[PIPES]
        assert os.stat(pipes).st_mode & 0o777 == 0o700
    assert (folder / "quit").read_text() == "quit\n"
    assert (folder / "calls").read_text().splitlines()[0] == "-f []"  # it sees all GPUs
    assert PIPES not in os.environ
    assert not os.path.exists(pipes)


def test_an_mps_that_does_not_start_is_said_and_trials_take_turns(gpus):
    gpus("NVIDIA A100-SXM4-40GB, 8.0, Disabled", controller="#!/bin/sh\nexit 1\n")
    with shared_gpus() as sentence:
        assert sentence == "Trials share GPUs by time slices: MPS did not start."
        assert PIPES not in os.environ


def test_an_mps_of_the_site_is_used(gpus, monkeypatch):
    folder = gpus("NVIDIA A100-SXM4-40GB, 8.0, Disabled")
    monkeypatch.setenv(PIPES, "/run/mps")
    with shared_gpus() as sentence:
        assert "the MPS that runs already" in sentence
    assert os.environ[PIPES] == "/run/mps"
    assert not (folder / "calls").exists()


def test_a_command_runs_with_mps_and_its_status_is_returned(gpus):
    gpus("NVIDIA A100-SXM4-40GB, 8.0, Disabled")
    script = f'[ -e "${PIPES}/control" ] && [ -z "$RAY_ENABLE_WINDOWS_OR_OSX_CLUSTER" ] && exit 7'
    command = [sys.executable, "-m", "study.nodes.sharing", "sh", "-c", script]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
    assert (done.returncode, done.stdout.partition(": ")[2]) == (
        7,
        "Trials share GPUs by MPS, which ends with the study.\n",
    )
