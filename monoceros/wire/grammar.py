"""The grammar of a request head (RFC 9112, sections 2 to 5), and what is wrong with one that doesn't follow it.

Knows what a head looks like, not what it means: that is `framing`. The rule this module keeps: one way to write each
thing. A bare LF, a folded line or a second space, which other servers take, is a fault.
"""

import re

from monoceros.errors import RequestError
from monoceros.wire.fields import TOKEN
from monoceros.wire.limits import RequestLimits

# RFC 9112, section 3.2: a request target has no fragment. In a query that a client forgot to take it off, a "#" is
# data like any other; in a path it would end the path for some readers and not for others.
_TARGET = rb"(?![^ ?#]*+#)[!-~]++"
_FIELD_LINE = TOKEN + rb"++:[^\x00-\x08\x0a-\x1f\x7f]*+\r\n"

FIELD_LINES = re.compile(rb"(?:" + _FIELD_LINE + rb")*+")
"""Field lines, and nothing else."""

HEAD = re.compile(
    rb"(" + TOKEN + rb"{1,32}+) (" + _TARGET + rb") HTTP/1\.([01])\r\n"  # method, target, minor version
    rb"(?:" + _FIELD_LINE + rb")*+\r\n"
)
"""A whole head; its groups are the method, the target and the minor version."""

# What the beginning of a request line looks like, whatever the version.
_LINE_SO_FAR = re.compile(
    TOKEN + rb"++(?: (?:[!-~]++(?: (?:H(?:T(?:T(?:P(?:/(?:[0-9](?:\.)?|([0-9]\.[0-9])\r?)?)?)?)?)?)?)?)?)?\Z"
)
_REQUEST_LINE = re.compile(rb"(" + TOKEN + rb"+) ([!-~]+) HTTP/([0-9]\.[0-9])")


def check_line_so_far(line: bytes, limits: RequestLimits) -> None:
    """Refuse the beginning of a request line that can't become one.

    Raises:
        RequestError: it is malformed, too long already, or names a version that isn't spoken.
    """
    if len(line) > limits.line:
        raise _long_line(line, limits)
    match = _LINE_SO_FAR.match(line)
    if match is None:
        raise RequestError(400, "malformed request line")
    if match[1] not in (None, b"1.0", b"1.1"):
        raise _other_version(match[1])


def fault(head: bytes, limits: RequestLimits) -> RequestError:
    """Say what is wrong with a head that isn't one, the first fault first. Off the hot path."""
    line, _, fields = head.partition(b"\r\n")
    if b"\n" in line or b"\r" in line:
        return RequestError(400, "a bare CR or LF in the head")
    if len(line) > limits.line:
        return _long_line(line, limits)
    match = _REQUEST_LINE.fullmatch(line)
    if match is None:
        return RequestError(400, "malformed request line")
    if match[3] not in (b"1.0", b"1.1"):
        return _other_version(match[3])
    if b"#" in match[2].partition(b"?")[0]:
        return RequestError(400, "a fragment in the request target")
    if len(match[1]) > 32:
        return RequestError(501, "unknown method")
    if len(head) > limits.head:
        return RequestError(431, f"request head of {len(head)} octets, over the limit of {limits.head}")
    rest = fields.replace(b"\r\n", b"")
    if b"\n" in rest or b"\r" in rest:
        return RequestError(400, "a bare CR or LF in the head")
    return _field_fault(fields.split(b"\r\n")[:-2])


def _field_fault(lines: list[bytes]) -> RequestError:
    bad = next((line for line in lines if FIELD_LINES.fullmatch(line + b"\r\n") is None), b"")
    if bad[:1] in (b" ", b"\t"):
        return RequestError(400, "a folded field line")
    return RequestError(400, "malformed field line")


def _other_version(version: bytes) -> RequestError:
    """RFC 9110, section 15.6.6."""
    return RequestError(505, f"HTTP version {version.decode()}")


def _long_line(line: bytes, limits: RequestLimits) -> RequestError:
    """RFC 9112, section 3: 414 to a target that is too long. Without a space there is no target."""
    if b" " not in line[: limits.line]:
        return RequestError(400, "malformed request line")
    return RequestError(414, f"request line over the limit of {limits.line} octets")
