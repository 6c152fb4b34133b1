"""Measurements of Monoceros beside its peers, in one run. `python -m benchmarks` says what CPU a request costs."""
