"""How many CPUs this process may use: what `--workers auto` counts.

Reads the affinity mask and the files of the control groups; knows nothing of workers. The rule it keeps: what can't be
read limits nothing, and the answer is never less than one.
"""

import os
import re
from collections.abc import Iterator
from pathlib import Path, PurePosixPath

MEMBERSHIP = "/proc/self/cgroup"
MOUNTS = "/proc/self/mountinfo"


def usable_cpus(membership: str | os.PathLike[str] = MEMBERSHIP, mounts: str | os.PathLike[str] = MOUNTS) -> int:
    """The CPUs this process may use, at least 1: the affinity mask's, or fewer if a control group's quota allows less.

    Where a process has no affinity mask, as on macOS, those of the machine count.

    Arguments:
        membership: the file that says which control groups this process is in (cgroups(7)).
        mounts: the file that says where control groups are mounted (proc_pid_mountinfo(5)).
    """
    cpus = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    quota = cpu_quota(membership, mounts)
    return max(1, cpus if quota is None else min(cpus, quota))


def cpu_quota(membership: str | os.PathLike[str] = MEMBERSHIP, mounts: str | os.PathLike[str] = MOUNTS) -> int | None:
    """The least CPU quota of our control groups and their ancestors, in whole CPUs rounded up; None if there is none.

    Arguments: as `usable_cpus`.
    """
    quotas = (_quota(group) for group in _groups(_text(Path(membership)), _text(Path(mounts))))
    return min((quota for quota in quotas if quota is not None), default=None)


def _groups(membership: str, mounts: str) -> Iterator[Path]:
    """Yield the directories of our control groups that could hold a CPU quota, each up to the root of its mount."""
    ours: dict[str, str] = {}
    for line in membership.splitlines():
        # "0::/path" is version 2, "4:cpu,cpuacct:/path" a hierarchy of version 1.
        _, _, rest = line.partition(":")
        controllers, _, path = rest.partition(":")
        ours |= dict.fromkeys(controllers.split(","), path)
    for line in mounts.splitlines():
        mount, _, kind = line.partition(" - ")
        places, kinds = mount.split(" "), kind.split(" ")
        if len(places) < 5 or len(kinds) < 3:
            continue
        version_2 = kinds[0] == "cgroup2"
        version_1 = kinds[0] == "cgroup" and "cpu" in kinds[2].split(",")
        path = ours.get("" if version_2 else "cpu", "")
        if path and (version_2 or version_1):
            yield from _upwards(Path(_unescaped(places[4])), _unescaped(places[3]), path)


def _upwards(mount: Path, root: str, path: str) -> Iterator[Path]:
    """Yield the directory of the control group `path`, and those above it, in a mount that shows it from `root` on."""
    group = PurePosixPath(path)
    # A container sees its own group as the root of the mount, whatever the group is called outside.
    inside = group.is_relative_to(root) and ".." not in group.parts
    relative = group.relative_to(root) if inside else PurePosixPath()
    yield mount / relative
    yield from (mount / parent for parent in relative.parents)


def _quota(group: Path) -> int | None:
    """The quota of one control group in CPUs, rounded up: a fraction of a CPU still is one to run on."""
    words = _text(group / "cpu.max").split() or [
        *_text(group / "cpu.cfs_quota_us").split(),
        *_text(group / "cpu.cfs_period_us").split(),
    ]
    # No quota is the word "max" in version 2, and -1 in version 1.
    if len(words) != 2 or not all(word.isdecimal() for word in words) or int(words[1]) == 0:
        return None
    quota, period = map(int, words)
    return -(-quota // period)


def _text(path: Path) -> str:
    """What is in a file of the kernel's; nothing if it isn't there, or isn't ours to read."""
    try:
        return path.read_text(errors="surrogateescape")
    except OSError:
        return ""


def _unescaped(path: str) -> str:
    r"""A path as mountinfo writes it: blanks, tabs, line ends and backslashes are octal, such as `\040`."""
    return re.sub(r"\\([0-7]{3})", lambda match: chr(int(match[1], 8)), path)
