"""How trials with a fraction of a GPU share it: at once, by NVIDIA's multi-process service (MPS), or by time slices.

python -m study.nodes.sharing COMMAND ...   runs a command on a node, with MPS beside it where that can be
"""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path

CONTROL = "nvidia-cuda-mps-control"
PIPES = "CUDA_MPS_PIPE_DIRECTORY"
"""The variable by which a program finds MPS."""
VOLTA = 7.0
"""The compute capability from which MPS keeps the memory of programs apart."""
SECONDS = 10.0
"""How long MPS may take to start, and to end."""
QUERY = ("nvidia-smi", "--query-gpu=name,compute_cap,mig.mode.current", "--format=csv,noheader")


def why_no_mps() -> str | None:
    """Why MPS cannot be started on this machine, as the end of a sentence; None if it can."""
    if shutil.which(CONTROL) is None:
        return f"there is no {CONTROL} here"
    try:
        shown = subprocess.run(QUERY, capture_output=True, text=True, check=True, timeout=60).stdout
    except (OSError, subprocess.SubprocessError):
        return "nvidia-smi finds no GPU here"
    for line in shown.strip().splitlines():
        name, capability, mig = (cell.strip() for cell in line.rsplit(",", 2))
        if mig == "Enabled":
            return f"{name} is split by MIG"
        if float(capability) < VOLTA:
            return f"{name} is older than Volta, where MPS does not keep the memory of programs apart"
    return None


@contextmanager
def shared_gpus() -> Iterator[str]:
    """MPS for the programs that this one starts meanwhile, where that can be; a sentence says how GPUs are shared.

    An MPS that runs already is used, and not ended.
    """
    if PIPES in os.environ:
        yield f"Trials share GPUs by the MPS that runs already ({PIPES})."
        return
    reason = why_no_mps()
    with tempfile.TemporaryDirectory(prefix="mps-") as folder:
        server = None if reason else _start(Path(folder))
        if server is None:
            yield f"Trials share GPUs by time slices: {reason or 'MPS did not start'}."
            return
        try:
            yield "Trials share GPUs by MPS, which ends with the study."
        finally:
            _end(server)


def _start(folder: Path) -> subprocess.Popen | None:
    """MPS with its pipes and logs in `folder`; None where it does not start."""
    os.environ |= {PIPES: str(folder), "CUDA_MPS_LOG_DIRECTORY": str(folder)}
    # All GPUs, so that their numbers mean to programs what they mean without MPS.
    environment = {name: value for name, value in os.environ.items() if name != "CUDA_VISIBLE_DEVICES"}
    server = subprocess.Popen([CONTROL, "-f"], env=environment, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL)
    deadline = time.monotonic() + SECONDS
    while server.poll() is None and time.monotonic() < deadline:
        if (folder / "control").exists():
            return server
        time.sleep(0.05)
    _end(server)
    return None


def _end(server: subprocess.Popen) -> None:
    with suppress(OSError, subprocess.SubprocessError):
        subprocess.run([CONTROL], input="quit\n", text=True, capture_output=True, timeout=SECONDS, check=False)
    try:
        server.wait(SECONDS)
    except subprocess.TimeoutExpired:
        server.kill()
        server.wait()
    for name in (PIPES, "CUDA_MPS_LOG_DIRECTORY"):
        os.environ.pop(name, None)


def main(command: Sequence[str]) -> int:
    """Run `command` with MPS beside it, and end it when this process is told to end; returns its exit status."""
    os.environ.pop("RAY_ENABLE_WINDOWS_OR_OSX_CLUSTER", None)  # of this package: Ray would listen on loopback alone
    with shared_gpus() as sentence:
        print(f"{os.uname().nodename}: {sentence}", flush=True)
        child = subprocess.Popen(command)
        signal.signal(signal.SIGTERM, lambda number, frame: child.terminate())
        return child.wait()


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
