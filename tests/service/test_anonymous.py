"""Files without a name."""

import os

from monoceros.service.anonymous import anonymous_file


def test_a_file_without_a_name_holds_what_is_written_and_passes_through_no_exec() -> None:
    descriptor = anonymous_file()
    try:
        os.write(descriptor, b"something")
        assert os.pread(descriptor, 100, 0) == b"something"
        assert not os.get_inheritable(descriptor)
        assert os.fstat(descriptor).st_nlink == 0
    finally:
        os.close(descriptor)


def test_it_needs_no_directory() -> None:
    former = os.environ.get("TMPDIR")
    os.environ["TMPDIR"] = "/nowhere"
    try:
        os.close(anonymous_file())
    finally:
        if former is None:
            del os.environ["TMPDIR"]
        else:
            os.environ["TMPDIR"] = former
