"""python -m study.nodes.wait ADDRESS NODES SECONDS: wait until a Ray cluster has this many nodes."""

from __future__ import annotations

import logging
import socket
import sys
import time

import ray

PAUSE_SECONDS = 1.0


def wait_for_nodes(address: str, wanted: int, seconds: float) -> int:
    """Wait until the cluster at `address` has `wanted` nodes, for `seconds` at most; returns how many it has then."""
    host, _, port = address.rpartition(":")
    deadline = time.monotonic() + seconds
    found = 0
    while found < wanted and time.monotonic() < deadline:
        try:
            if not ray.is_initialized():
                # Asked first, because Ray would try to connect for minutes, whatever the deadline.
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
    """Returns the exit status: 0 if all nodes have come."""
    found = wait_for_nodes(address, int(nodes), float(seconds))
    if found < int(nodes):
        print(f"error: {found} of {nodes} nodes were in the Ray cluster after {seconds} s.", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
