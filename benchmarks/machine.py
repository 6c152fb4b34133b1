"""What the benchmark runs on, as the report describes it, and the cores for the two sides."""

import os
import platform
import ssl
import time
from pathlib import Path

CORES = sorted(os.sched_getaffinity(0))
SERVER_CORES = CORES[:1]
"""The servers', all of them: one core, so that a worker has no helper's help."""
LOAD_CORES = CORES[1:2] or CORES
"""The load's and the measuring process's."""


def described() -> dict[str, str]:
    """Return what a reader must know of the machine, by label."""
    load = os.getloadavg()[0]
    return {
        "Processor": processor(Path("/proc/cpuinfo").read_text()),
        "Cores": f"{len(CORES)}; servers on number {SERVER_CORES[0]}, the load on number {LOAD_CORES[0]}",
        "System": f"{platform.system()} {platform.release()}, {platform.machine()}",
        "Python": f"{platform.python_implementation()} {platform.python_version()}, {ssl.OPENSSL_VERSION}",
        "Load average at the start": f"{load:.2f}",
        "Date": time.strftime("%Y-%m-%d", time.gmtime()),
    }


def processor(cpuinfo: str) -> str:
    """Return the model's name.

    Arguments:
        cpuinfo: the content of /proc/cpuinfo.
    """
    for line in cpuinfo.splitlines():
        label, _, value = line.partition(":")
        if label.strip() == "model name":
            return value.strip()
    return "unknown"
