"""How many CPUs are counted: control groups in a tree of our own, and the real affinity mask of a child."""

import os
from pathlib import Path

import pytest

from monoceros.service.cpus import cpu_quota, usable_cpus
from tests.service.forked import forked

needs_affinity = pytest.mark.skipif(not hasattr(os, "sched_getaffinity"), reason="this system has no affinity masks")


class Machine:
    """The files in which a system says what limits a process."""

    def __init__(self, directory: Path) -> None:
        self.directory = directory
        self.membership = directory / "cgroup"
        self.mounts = directory / "mountinfo"
        self.mounts.write_text("23 1 254:0 / / rw - ext4 /dev/vda rw\nnonsense\n")

    def is_in(self, *lines: str) -> None:
        self.membership.write_text("".join(f"{line}\n" for line in lines))

    def mount_version_2(self, place: str = "fs", root: str = "/") -> None:
        self._mount(f"{root} {self._escaped(place)} rw shared:9 - cgroup2 cgroup2 rw,nsdelegate")

    def mount_version_1(self, controllers: str, place: str, root: str = "/") -> None:
        self._mount(f"{root} {self._escaped(place)} rw - cgroup cgroup rw,{controllers}")

    def write(self, file: str, text: str) -> None:
        path = self.directory / file
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text + "\n")

    def quota(self) -> int | None:
        return cpu_quota(self.membership, self.mounts)

    def cpus(self) -> int:
        return usable_cpus(self.membership, self.mounts)

    def _mount(self, line: str) -> None:
        with self.mounts.open("a") as file:
            file.write(f"31 23 0:28 {line}\n")

    def _escaped(self, place: str) -> str:
        return str(self.directory / place).replace(" ", r"\040")


@pytest.fixture
def machine(tmp_path: Path) -> Machine:
    return Machine(tmp_path)


@pytest.mark.parametrize(
    ("limit", "cpus"),
    [
        ("max 100000", None),
        ("200000 100000", 2),
        ("150000 100000", 2),
        ("10000 100000", 1),
        ("400000 50000", 8),
        ("", None),
        ("nonsense", None),
        ("100000 0", None),
    ],
)
def test_a_quota_is_its_share_of_the_period_rounded_up(machine: Machine, limit: str, cpus: int | None) -> None:
    machine.is_in("0::/app")
    machine.mount_version_2()
    machine.write("fs/app/cpu.max", limit)
    assert machine.quota() == cpus


@pytest.mark.parametrize("tightest", ["fs", "fs/pods", "fs/pods/pod", "fs/pods/pod/app"])
def test_the_smallest_quota_from_the_group_up_to_the_root_counts(machine: Machine, tightest: str) -> None:
    machine.is_in("0::/pods/pod/app")
    machine.mount_version_2()
    for group in ("fs", "fs/pods", "fs/pods/pod", "fs/pods/pod/app"):
        machine.write(f"{group}/cpu.max", "300000 100000" if group == tightest else "900000 100000")
    assert machine.quota() == 3


def test_other_groups_do_not_count(machine: Machine) -> None:
    machine.is_in("0::/pods/mine")
    machine.mount_version_2()
    machine.write("fs/pods/mine/cpu.max", "700000 100000")
    machine.write("fs/pods/mine/below/cpu.max", "100000 100000")
    machine.write("fs/pods/yours/cpu.max", "100000 100000")
    assert machine.quota() == 7


@pytest.mark.parametrize("path", ["/", "/docker/c0ffee", "/../c0ffee"])
def test_in_a_container_the_root_of_the_mount_is_its_own_group(machine: Machine, path: str) -> None:
    machine.is_in(f"0::{path}")
    machine.mount_version_2(root="/" if path == "/" else "/docker/c0ffee")
    machine.write("fs/cpu.max", "200000 100000")
    assert machine.quota() == 2


def test_a_group_below_that_of_the_container_is_found(machine: Machine) -> None:
    machine.is_in("0::/docker/c0ffee/app")
    machine.mount_version_2(root="/docker/c0ffee")
    machine.write("fs/app/cpu.max", "200000 100000")
    assert machine.quota() == 2


def test_version_1_says_it_in_two_files(machine: Machine) -> None:
    machine.is_in("9:memory:/elsewhere", "4:cpu,cpuacct:/docker/app", "1:name=systemd:/", "0::/")
    machine.mount_version_1("memory", "fs/memory")
    machine.mount_version_1("cpu,cpuacct", "fs/cpu and accounts")
    machine.write("fs/memory/docker/app/cpu.cfs_quota_us", "100000")
    machine.write("fs/memory/docker/app/cpu.cfs_period_us", "100000")
    group = "fs/cpu and accounts/docker"
    machine.write(f"{group}/cpu.cfs_quota_us", "500000")
    machine.write(f"{group}/cpu.cfs_period_us", "100000")
    machine.write(f"{group}/app/cpu.cfs_quota_us", "-1")
    machine.write(f"{group}/app/cpu.cfs_period_us", "100000")
    assert machine.quota() == 5


def test_a_system_without_control_groups_has_no_quota(machine: Machine) -> None:
    assert machine.quota() is None
    assert machine.cpus() == usable_cpus()


def test_a_quota_below_the_machine_limits_the_cpus(machine: Machine) -> None:
    machine.is_in("0::/")
    machine.mount_version_2()
    machine.write("fs/cpu.max", "1000 100000")
    assert machine.cpus() == 1


def test_a_quota_above_the_machine_changes_nothing(machine: Machine) -> None:
    before = machine.cpus()
    machine.is_in("0::/")
    machine.mount_version_2()
    machine.write("fs/cpu.max", "100000000 100000")
    assert machine.cpus() == before


def test_there_is_always_at_least_one(machine: Machine) -> None:
    machine.is_in("0::/")
    machine.mount_version_2()
    machine.write("fs/cpu.max", "0 100000")
    assert machine.cpus() == 1


@needs_affinity
def test_cpus_outside_the_affinity_mask_do_not_count(machine: Machine) -> None:
    def pinned() -> int:
        os.sched_setaffinity(0, {min(os.sched_getaffinity(0))})
        return machine.cpus()

    assert machine.cpus() == len(os.sched_getaffinity(0))
    assert forked(pinned) == 1
