"""The memory of this process, compared with what the system says of it elsewhere."""

import mmap
import os
import re
import resource
from pathlib import Path

import pytest

from monoceros.service.memory import resident_memory

MIB = 1024 * 1024
STATUS = Path("/proc/self/status")
needs_proc = pytest.mark.skipif(not STATUS.exists(), reason="this system has no /proc to compare with")


@needs_proc
def test_it_is_what_the_system_says_in_bytes() -> None:
    found = re.search(r"VmRSS:\s+(\d+) kB", STATUS.read_text())
    assert found
    assert resident_memory() == pytest.approx(int(found[1]) * 1024, rel=0.1)


@needs_proc
def test_memory_that_is_touched_counts_and_memory_given_back_does_not() -> None:
    before = resident_memory()
    with mmap.mmap(-1, 64 * MIB) as block:
        for start in range(0, len(block), mmap.PAGESIZE):
            block[start] = 1
        assert resident_memory() - before == pytest.approx(64 * MIB, abs=8 * MIB)
    assert resident_memory() - before < 8 * MIB


def test_without_proc_the_largest_it_ever_was_is_taken(tmp_path: Path) -> None:
    peak = resident_memory(str(tmp_path / "statm"))
    assert peak >= resident_memory() * 0.9
    assert peak < resident_memory() + 100 * 1024 * MIB


@needs_proc
def test_without_a_descriptor_to_read_it_by_it_is_what_it_was() -> None:
    """The largest it ever was may be far more: a process would be ended for memory that it has given back."""
    with mmap.mmap(-1, 256 * MIB) as block:
        for start in range(0, len(block), mmap.PAGESIZE):
            block[start] = 1
    known = resident_memory()
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    probe = os.open(STATUS, os.O_RDONLY)
    os.close(probe)
    resource.setrlimit(resource.RLIMIT_NOFILE, (probe, hard))
    try:
        assert resident_memory() == known
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))


@needs_proc
def test_what_was_never_read_exceeds_no_limit(tmp_path: Path) -> None:
    assert resident_memory(str(tmp_path)) == 0  # a directory can't be read
