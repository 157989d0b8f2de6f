"""What `make bench` runs: the platform and the bare alternatives, interleaved in one run, reported as ratios."""
