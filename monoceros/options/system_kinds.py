"""The kinds of values that an operating system knows: addresses to bind, file modes, accounts, CPUs.

As in `kinds`, a converter raises ValueError or TypeError for what it doesn't accept, and nothing else. Whether an
account or a file exists is not asked here, but where it is used.
"""

import re
from dataclasses import dataclass
from typing import Self

from monoceros.options import kinds
from monoceros.options.option import Kind

_PORT = re.compile(r"[0-9]{1,5}")
_OCTAL = re.compile(r"(?:0o)?[0-7]{1,4}")


@dataclass(frozen=True, slots=True)
class Address:
    """One address to listen on; exactly one of `host`, `uds` and `fd` is not None.

    Arguments:
        host: a name or an address without brackets; "" for every address of the machine.
        port: 0 to 65535; 0 picks a free one.
        uds: path of a unix socket.
        fd: an open descriptor.
    """

    host: str | None = None
    port: int = 0
    uds: str | None = None
    fd: int | None = None

    @classmethod
    def parse(cls, text: str) -> Self:
        """Read `HOST:PORT`, `[::]:PORT`, `:PORT`, `unix:PATH` or `fd://N`.

        Raises:
            ValueError: it is none of these.
        """
        scheme, _, rest = text.partition(":")
        if scheme == "unix" and rest:
            return cls(uds=rest)
        if scheme == "fd" and rest.startswith("//"):
            return cls(fd=_number(rest[2:]))
        host, colon, port = text.rpartition(":")
        if host.startswith("[") and host.endswith("]"):
            host = host[1:-1]
        elif ":" in host:
            raise ValueError  # an IPv6 address without brackets could end anywhere
        if not colon or not _PORT.fullmatch(port) or int(port) > 65535:
            raise ValueError
        return cls(host=host, port=int(port))

    def __str__(self) -> str:
        """As it is written."""
        if self.uds is not None:
            return f"unix:{self.uds}"
        if self.fd is not None:
            return f"fd://{self.fd}"
        return f"[{self.host}]:{self.port}" if ":" in (self.host or "") else f"{self.host}:{self.port}"


class Mode(int):
    """A file mode, which shows as people write it: in octal."""

    def __str__(self) -> str:
        return f"{self:04o}"


def addresses() -> Kind:
    """Addresses to bind: one or several, in a variable separated by blanks or commas."""

    def convert(given: object) -> object:
        if given is None:
            return []
        several = [given] if isinstance(given, str | Address) else given
        if not isinstance(several, list | tuple):
            raise ValueError
        return [each if isinstance(each, Address) else Address.parse(each) for each in several]

    return Kind(
        "an address",
        "HOST:PORT, [IPV6]:PORT, unix:PATH or fd://N",
        convert,
        "list[str] | str | None",
        "ADDRESS",
        multiple=True,
        split=lambda joined: joined.replace(",", " ").split(),
    )


def mode() -> Kind:
    """The mode of a file, in octal where it is text; None is accepted, too."""

    def convert(given: object) -> object:
        if given is None or (isinstance(given, str) and given.strip().lower() == "none"):
            return None
        if isinstance(given, str) and _OCTAL.fullmatch(given):
            return Mode(int(given, 8))
        if isinstance(given, int) and not isinstance(given, bool) and 0 <= given <= 0o7777:
            return Mode(given)
        raise ValueError

    return Kind("a file mode", "an octal number such as 660, or none,", convert, "int | str | None", "OCTAL")


def account(noun: str) -> Kind:
    """A user or a group: its name or its number."""

    def convert(given: object) -> object:
        if given is None or given == "":
            return None
        if isinstance(given, str):
            return int(given) if given.isascii() and given.isdigit() else given
        if isinstance(given, int) and not isinstance(given, bool) and given >= 0:
            return given
        raise ValueError

    return Kind(noun, "a name or a number", convert, "str | int | None", noun.rpartition(" ")[2].upper())


def worker_count() -> Kind:
    """How many workers: a number, or `auto`; None is accepted, too."""
    plain = kinds.integer(0, optional=True)

    def convert(given: object) -> object:
        if isinstance(given, str) and given.strip().lower() == "auto":
            return "auto"
        return plain.convert(given)

    return Kind(
        "a number of workers",
        "an integer of at least 0, auto, or none,",
        convert,
        'int | Literal["auto"] | None',
        "[N|auto]",
    )


def _number(text: str) -> int:
    if not text.isascii() or not text.isdigit():
        raise ValueError
    return int(text)
