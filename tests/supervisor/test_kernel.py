"""The system calls of the master, made in an interpreter of its own: a test process must not fork itself."""

import os
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[2]

BEGIN = """
import atexit, os, selectors, signal, sys, threading, time
from monoceros.supervisor.channel import Word, channel_pair
from monoceros.supervisor.kernel import PosixKernel
from monoceros.supervisor.signals import settle
kernel = PosixKernel()
mine, theirs = channel_pair()
selector = selectors.PollSelector()
selector.register(mine, selectors.EVENT_READ)

def collect(pid):
    while not (found := kernel.exits([pid])):
        time.sleep(0.01)
    return found
"""


def run(program: str) -> str:
    """Run a program after the common beginning, and return what it printed."""
    done = subprocess.run(
        [sys.executable, "-W", "error", "-c", BEGIN + program + "mine.close()"],
        env=os.environ | {"PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout + done.stderr


def test_a_child_speaks_over_its_line_and_its_return_value_is_its_exit_code() -> None:
    program = """
def child(line):
    line.send(Word.READY)
    return 7
pid = kernel.fork(child, theirs)
kernel.wait(selector, 30)
assert [message.word for message in mine.receive()] == [Word.READY]
assert collect(pid) == [(pid, 7)]
assert kernel.exits([]) == []
"""
    assert run(program) == ""


def test_the_parent_sees_the_end_of_a_child_on_its_line() -> None:
    program = """
pid = kernel.fork(lambda line: 0, theirs)
kernel.wait(selector, 30)
try:
    mine.receive()
except EOFError:
    print("end")
collect(pid)
"""
    assert run(program) == "end\n"


def test_a_child_that_raises_shows_it_and_never_returns_to_its_parents_frames() -> None:
    program = """
def child(line):
    raise ValueError("in the child")
try:
    pid = kernel.fork(child, theirs)
finally:
    print("once")
assert collect(pid) == [(pid, 1)]
"""
    printed = run(program)
    assert printed.count("once") == 1
    assert "ValueError: in the child" in printed


def test_a_child_runs_its_exit_handlers_and_waits_for_its_threads() -> None:
    program = """
def child(line):
    atexit.register(print, "handler")
    threading.Thread(target=lambda: (time.sleep(0.2), print("thread"))).start()
    return 0
collect(kernel.fork(child, theirs))
"""
    assert run(program) == "thread\nhandler\n"


def test_what_is_buffered_at_the_fork_is_written_once() -> None:
    program = """
print("before")
collect(kernel.fork(lambda line: 0, theirs))
"""
    assert run(program) == "before\n"


def test_a_signal_that_arrives_before_the_child_has_settled_is_not_lost() -> None:
    program = """
def child(line):
    signal.raise_signal(signal.SIGTERM)
    time.sleep(0.1)
    print("settles", flush=True)
    settle({signal.SIGTERM: lambda _: print("asked to leave", flush=True)})
    return 0
signal.signal(signal.SIGTERM, lambda *_: print("the handler of the master", flush=True))
collect(kernel.fork(child, theirs))
signal.raise_signal(signal.SIGTERM)
"""
    assert run(program) == "settles\nasked to leave\nthe handler of the master\n"


def test_a_settled_child_leaves_the_terminals_signals_to_its_master() -> None:
    program = """
def child(line):
    settle({})
    for number in (signal.SIGINT, signal.SIGQUIT, signal.SIGHUP):
        signal.raise_signal(number)
    os.execv(sys.executable, [sys.executable, "-c", "import signal; print(signal.getsignal(signal.SIGHUP).name)"])
collect(kernel.fork(child, theirs))
"""
    assert run(program) == "SIG_DFL\n"


def test_a_killed_child_is_told_by_its_signal() -> None:
    program = """
pid = kernel.fork(lambda line: time.sleep(60), theirs)
kernel.kill(pid, signal.SIGKILL)
assert collect(pid) == [(pid, -9)]
pid = kernel.fork(lambda line: time.sleep(60), mine)
kernel.kill(pid, signal.SIGKILL)
kernel.await_exit(pid)
kernel.await_exit(pid)
assert kernel.exits([pid]) == [(pid, 0)]
"""
    run(program)


def test_children_of_others_are_left_to_them() -> None:
    program = """
import subprocess
other = subprocess.Popen([sys.executable, "-c", "raise SystemExit(5)"])
pid = kernel.fork(lambda line: 0, theirs)
collect(pid)
assert other.wait() == 5
"""
    assert run(program) == ""


def test_what_the_application_forks_dies_of_the_signals_that_a_worker_handles() -> None:
    """It would tell the master that the worker leaves."""
    program = """
def child(line):
    settle({signal.SIGTERM: lambda _: print("asked to leave", flush=True)})
    reader, writer = os.pipe()
    pid = os.fork()
    if pid == 0:
        os.write(writer, b"lives")
        time.sleep(50)
        os._exit(0)
    os.read(reader, 5)
    os.kill(pid, signal.SIGTERM)
    print(os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]), flush=True)
    return 0
collect(kernel.fork(child, theirs))
"""
    assert run(program) == "-15\n"
