"""python -m study.nodes.wait ADDRESS NODES SECONDS: wait until a Ray cluster has so many nodes."""

from __future__ import annotations

import logging
import socket
import sys
import time

import ray

PAUSE_SECONDS = 1.0


def wait_for_nodes(address: str, wanted: int, seconds: float) -> int:
    """How many nodes the cluster at `address` has, as soon as they are `wanted`, or after `seconds`."""
    host, _, port = address.rpartition(":")
    deadline = time.monotonic() + seconds
    found = 0
    while found < wanted and time.monotonic() < deadline:
        try:
            if not ray.is_initialized():
                # By itself Ray would go on trying for minutes, whatever the deadline.
                socket.create_connection((host, int(port)), timeout=PAUSE_SECONDS).close()
                ray.init(address, logging_level=logging.CRITICAL, log_to_driver=False)
            found = sum(node["Alive"] for node in ray.nodes())
        except (OSError, RuntimeError):
            pass  # the head is not there yet
        if found < wanted:
            time.sleep(PAUSE_SECONDS)
    ray.shutdown()
    return found


def main(address: str, nodes: str, seconds: str) -> int:
    """Exit status 0 if they have all come."""
    found = wait_for_nodes(address, int(nodes), float(seconds))
    if found < int(nodes):
        print(f"error: {found} of {nodes} nodes were in the Ray cluster after {seconds} s.", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
