"""A real Slurm on one machine: a controller and two nodes, in a network of its own that nothing leaves."""

from __future__ import annotations

import os
import shutil
import socket
import subprocess
import time
from collections.abc import Callable
from pathlib import Path

DAEMONS = ("munged", "slurmctld", "slurmd")
NODES = ("n1", "n2")
START_SECONDS = 60
CLIENT_SECONDS = 60

# Nodes have addresses that are not 127.0.0.1: so that a Ray that listens there alone would be noticed.
NETWORK = """
ip link set lo up
ip address add 10.77.0.1/32 dev lo
ip address add 10.77.0.2/32 dev lo
exec sleep infinity
"""

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
ReturnToService=2
KillWait=15
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


class SlurmCluster:
    """Two nodes with two CPUs each; everything is in `folder`, and every daemon is ended by `stop`."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.environment = os.environ | {"SLURM_CONF": str(folder / "slurm.conf")}
        self._daemons: list[subprocess.Popen] = []

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
            daemon.terminate()
            try:
                daemon.wait(10)
            except subprocess.TimeoutExpired:
                daemon.kill()
                daemon.wait()

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

    def state(self, job: str) -> str:
        """What Slurm calls the state of a job."""
        return self._of_job(job)["JobState"]

    def exit_status(self, job: str) -> int:
        """What the script of a job that has ended exited with."""
        return int(self._of_job(job)["ExitCode"].partition(":")[0])

    def restarts(self, job: str) -> int:
        """How often a job has been requeued."""
        return int(self._of_job(job)["Restarts"])

    def _of_job(self, job: str) -> dict[str, str]:
        shown = self.run("scontrol", "show", "job", "--oneliner", job)
        assert shown.returncode == 0, shown.stderr
        return dict(word.partition("=")[::2] for word in shown.stdout.split())

    def _inside(self, *command: str) -> list[str]:
        return ["nsenter", f"--net=/proc/{self._network.pid}/ns/net", "--", *command]

    def _spawn(self, command: list[str], name: str) -> subprocess.Popen:
        with (self.folder / f"{name}.log").open("wb") as log:
            daemon = subprocess.Popen(command, stdout=log, stderr=log, env=self.environment, start_new_session=True)
        self._daemons.append(daemon)
        return daemon

    def _until(self, condition: Callable[[], bool]) -> None:
        deadline = time.monotonic() + START_SECONDS
        while not condition():
            for daemon in self._daemons:
                assert daemon.poll() is None, f"{daemon.args} has ended: see the logs in {self.folder}"
            assert time.monotonic() < deadline, f"Slurm did not get ready: see the logs in {self.folder}"
            time.sleep(0.2)
