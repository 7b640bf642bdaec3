"""The parts of a report on a study, one file an idea; `study.report` is its command line."""
