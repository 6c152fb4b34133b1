"""Measurements of Monoceros beside its peers, in one run: `python -m benchmarks`.

docs/performance.md has what they gave. Linux only: costs are read from /proc.
"""
