"""The real systems that studies run on, started on this machine: for tests, `make soak` and benchmarks."""
