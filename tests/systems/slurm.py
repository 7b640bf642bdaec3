"""A real Slurm on one machine: a controller and two nodes, in a network of its own that nothing leaves."""

from __future__ import annotations

import os
import re
import shlex
import shutil
import socket
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import TypeVar

import pytest

from tests.systems.program import START_SECONDS, Program, command_line
from tests.systems.submit import submit
from tests.systems.until import until

T = TypeVar("T")

DAEMONS = ("munged", "slurmctld", "slurmd")
NODES = ("n1", "n2")
CLIENT_SECONDS = 60
JOB_SECONDS = 600

ENDS = ("COMPLETED", "FAILED", "CANCELLED", "TIMEOUT")
"""States of jobs that have ended for good."""

# Nodes have addresses that are not 127.0.0.1: so that a Ray that listens there alone would be noticed.
NETWORK = """
ip link set lo up
ip address add 10.77.0.1/32 dev lo
ip address add 10.77.0.2/32 dev lo
exec sleep infinity
"""

# A requeued job is started within a second or so, instead of half a minute; what does not end is killed soon.
SLURM_CONF = """
ClusterName=test
SlurmctldHost={host}(127.0.0.1)
SlurmUser=root
SlurmdUser=root
AuthType=auth/munge
CredType=cred/munge
AuthInfo=socket={folder}/munge.socket,cred_expire=5
StateSaveLocation={folder}/state
SlurmdSpoolDir={folder}/spool/%n
SlurmdPidFile={folder}/slurmd-%n.pid
SlurmctldPidFile={folder}/slurmctld.pid
ProctrackType=proctrack/linuxproc
TaskPlugin=task/none
JobAcctGatherType=jobacct_gather/none
MpiDefault=none
SelectType=select/cons_tres
SelectTypeParameters=CR_Core
SchedulerParameters=bf_interval=1,sched_interval=1
ReturnToService=2
KillWait=2
NodeName=n1 NodeHostname={host} NodeAddr=10.77.0.1 Port=17001 CPUs=2 RealMemory=4000
NodeName=n2 NodeHostname={host} NodeAddr=10.77.0.2 Port=17002 CPUs=2 RealMemory=4000
PartitionName=main Nodes=n1,n2 Default=YES State=UP
"""


def why_not() -> str | None:
    """Why there can be no cluster on this machine; None if there can."""
    missing = [name for name in (*DAEMONS, "sbatch", "ip", "unshare", "nsenter") if shutil.which(name) is None]
    if missing:
        return f"not installed: {', '.join(missing)} (apt-get install slurm-wlm munge iproute2)"
    if subprocess.run(["unshare", "--net", "true"], capture_output=True, check=False).returncode:
        return "may not make a network namespace"
    return None


class Daemon(Program):
    """A part of Slurm."""

    survives_its_test = True


class SlurmCluster:
    """Two nodes with two CPUs each; everything is in `folder`, and every daemon is ended by `stop`."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.environment = os.environ | {"SLURM_CONF": str(folder / "slurm.conf")}
        self._daemons: list[Daemon] = []

    def start(self) -> None:
        """Start the daemons and wait until both nodes are idle."""
        for name in ("state", "spool/n1", "spool/n2"):
            (self.folder / name).mkdir(parents=True)
        (self.folder / "slurm.conf").write_text(SLURM_CONF.format(host=socket.gethostname(), folder=self.folder))
        (self.folder / "cgroup.conf").write_text("CgroupAutomount=no\nIgnoreSystemd=yes\n")
        key = self.folder / "munge.key"
        key.touch(mode=0o600)
        key.write_bytes(os.urandom(128))
        self._network = self._spawn(["unshare", "--net", "--", "sh", "-ec", NETWORK], "network")
        self._until(lambda: "10.77.0.2" in self.run("ip", "address").stdout)
        at = {name: f"--{name}={self.folder}/munge" for name in ("socket", "pid-file", "log-file", "seed-file")}
        munge = [f"{option}.{name.partition('-')[0]}" for name, option in at.items()]
        self._spawn(self._inside("munged", "--foreground", "--force", f"--key-file={key}", *munge), "munged")
        self._until((self.folder / "munge.socket").exists)
        self._spawn(self._inside("slurmctld", "-D"), "slurmctld")
        for node in NODES:
            self._spawn(self._inside("slurmd", "-D", "-N", node), f"slurmd-{node}")
        self._until(lambda: self.run("sinfo", "--noheader", "--format=%T %D").stdout.split() == ["idle", "2"])

    def stop(self) -> None:
        """End every job and every daemon."""
        if len(self._daemons) > 2:
            self.run("scancel", "--user=root")
            self._until(lambda: not self.run("squeue", "--noheader").stdout)
        for daemon in reversed(self._daemons):
            daemon.stop()

    def run(self, *command: str) -> subprocess.CompletedProcess:
        """Run a command in the cluster's network."""
        return subprocess.run(
            self._inside(*command),
            capture_output=True,
            text=True,
            env=self.environment,
            timeout=CLIENT_SECONDS,
            check=False,
        )

    def submit(self, storage: Path, *options: object) -> subprocess.CompletedProcess:
        """`python -m study.submit --backend slurm` in this process; the `sbatch` that it finds is the cluster's."""
        folder = self.folder / "bin"
        folder.mkdir(exist_ok=True)
        sbatch = folder / "sbatch"
        sbatch.write_text(f'#!/bin/sh\nexec {shlex.join(self._inside(str(shutil.which("sbatch"))))} "$@"\n')
        sbatch.chmod(0o755)
        with pytest.MonkeyPatch.context() as patch:
            patch.setenv("PATH", str(folder), prepend=os.pathsep)
            patch.setenv("SLURM_CONF", self.environment["SLURM_CONF"])
            return submit("--backend", "slurm", "--storage-dir", storage, *options)

    def submit_in_a_process(self, storage: Path, *options: object) -> subprocess.CompletedProcess:
        """The same command in a process of its own."""
        command = (sys.executable, "-m", "study.submit", "--backend", "slurm", "--storage-dir", storage)
        return self.run(*map(str, (*command, *options)))

    def state(self, job: str) -> str:
        """What Slurm calls the state of a job."""
        return self._of_job(job)["JobState"]

    def exit_status(self, job: str) -> int:
        """What the script of a job that has ended exited with."""
        return int(self._of_job(job)["ExitCode"].partition(":")[0])

    def restarts(self, job: str) -> int:
        """How often a job has been requeued."""
        return int(self._of_job(job)["Restarts"])

    def wait(self, job: str) -> str:
        """Wait for the end of a job; returns its state."""
        until(lambda: self.state(job) in ENDS, seconds=JOB_SECONDS, every=0.5)
        return self.state(job)

    def _of_job(self, job: str) -> dict[str, str]:
        shown = self.run("scontrol", "show", "job", "--oneliner", job)
        assert shown.returncode == 0, shown.stderr
        return dict(word.partition("=")[::2] for word in shown.stdout.split())

    def _inside(self, *command: str) -> list[str]:
        return ["nsenter", f"--net=/proc/{self._network.process.pid}/ns/net", "--", *command]

    def _spawn(self, command: list[str], name: str) -> Daemon:
        daemon = Daemon(command, self.folder / f"{name}.log", self.environment)
        daemon.start()
        self._daemons.append(daemon)
        return daemon

    def _until(self, condition: Callable[[], bool]) -> None:
        def are_running() -> bool:
            return all(daemon.is_running() for daemon in self._daemons)

        until(condition, are_running, self._logs, START_SECONDS, every=0.2)

    def _logs(self) -> str:
        return "\n".join(f"{daemon.command[-1]}: {daemon.screen()}" for daemon in self._daemons)


class Job:
    """A study that was submitted, and its job."""

    def __init__(
        self, slurm: SlurmCluster, storage: Path, name: str, *options: object, in_a_process: bool = False
    ) -> None:
        """`in_a_process`: whether a process of its own submits it."""
        self.slurm, self.storage, self.name = slurm, storage, name
        submit = slurm.submit_in_a_process if in_a_process else slurm.submit
        submitted = submit(storage, "--name", name, *options)
        assert submitted.returncode == 0, submitted.stderr
        self.id = re.match(r"job (\d+): ", submitted.stdout)[1]

    def file(self, ending: str) -> Path:
        """A file that the job leaves beside the studies."""
        return self.storage / f"slurm/{self.name}-{self.id}{ending}"

    def log(self) -> str:
        """What the job and its Ray have printed, in all its runs."""
        files = [self.file(".log"), self.file("-ray.log")]
        return "\n".join(file.read_text(errors="replace") for file in files if file.exists())

    def until(self, condition: Callable[[], T]) -> T:
        """Wait for a condition; fails when the job ends before."""
        return until(condition, lambda: self.state() not in ENDS, self.log, JOB_SECONDS, every=0.5)

    def wait(self) -> str:
        """Its state at the end."""
        return self.slurm.wait(self.id)

    def state(self) -> str:
        """Its state now."""
        return self.slurm.state(self.id)

    def nodes_training(self) -> set[str]:
        """The nodes on which trials are being trained, by the token of this run of the job."""
        found = set()
        for process in Path("/proc").iterdir():
            if process.name.isdigit() and b"Trainable.train" in command_line(int(process.name)):
                try:
                    lines = (process / "environ").read_text().split("\0")
                except OSError:
                    continue  # it has ended meanwhile
                environment = dict(line.partition("=")[::2] for line in lines)
                token = environment.get("RAY_AUTH_TOKEN_PATH")
                if (environment.get("SLURM_JOB_ID"), token) == (self.id, str(self.file(".token"))):
                    found.add(environment["SLURMD_NODENAME"])
        return found

    def until_both_nodes_train(self) -> None:
        """Wait until trials are being trained on both nodes, at different moments or at once."""
        seen: set[str] = set()
        self.until(lambda: seen.update(self.nodes_training()) or seen == set(NODES))

    def finished_trials(self) -> list[int]:
        """The trials that its drivers saw Ray finish."""
        return [int(number) for number in re.findall(r"\] trial +(\d+)  (?!failed)", self.log())]
