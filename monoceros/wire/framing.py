"""What a request head means, judged on its raw bytes before any parser sees it; above all, where its body ends.

Parsers hide what matters for request smuggling: they join folded lines, take a bare LF, collapse equal lengths, pass
versions that don't exist. So every rule that makes a head ambiguous stands here, once, and all parsers see only heads
that mean one thing. The rule this module keeps: what isn't certainly one message is refused (RFC 9112, section 11.2).
"""

import re
from typing import NamedTuple

from monoceros.errors import RequestError
from monoceros.wire.fields import TOKEN, has_option

CHUNKED = -1
"""The body length of a message with `Transfer-Encoding: chunked`."""

END_OF_HEAD = b"\r\n\r\n"

# The methods of the IANA registry, and PURGE, which caches made common. RFC 9110, section 9.1: an origin server that
# receives a method it doesn't know answers 501; a list also keeps a prefix smuggled into a method from passing.
METHODS = {
    name.encode(): name
    for name in (  # noqa: SIM905 - a paragraph of names reads better than a column
        "GET HEAD POST PUT DELETE OPTIONS PATCH TRACE QUERY ACL BASELINE-CONTROL BIND CHECKIN CHECKOUT COPY LABEL LINK "
        "LOCK MERGE MKACTIVITY MKCALENDAR MKCOL MKREDIRECTREF MKWORKSPACE MOVE ORDERPATCH PROPFIND PROPPATCH PURGE "
        "REBIND REPORT SEARCH UNBIND UNCHECKOUT UNLINK UNLOCK UPDATE UPDATEREDIRECTREF VERSION-CONTROL"
    ).split()
}

_FIELD_LINE = TOKEN + rb"++:[^\x00-\x08\x0a-\x1f\x7f]*+\r\n"
_HEAD = re.compile(
    rb"(" + TOKEN + rb"{1,32}+) ([!-\"$-~]++) HTTP/1\.([01])\r\n"  # method, target without "#", minor version
    rb"(?:" + _FIELD_LINE + rb")*+\r\n"
)
# The fields that decide something here, over the lower-cased head: one search finds them all.
_DECIDING = re.compile(rb"\n(host|content-length|transfer-encoding|connection|upgrade|expect):[ \t]*([^\r]*)")
# RFC 9110, section 7.2 and RFC 3986, section 3.2: a registered name or an address, and a port. No comma: it would make
# two names out of one.
_HOST = re.compile(rb"(?:[a-z0-9\-._~%!$&'()*+;=]+|\[[0-9a-f:.]+\])(?::[0-9]{0,5})?[ \t]*")
_LENGTH = re.compile(rb"([0-9]{1,18})[ \t]*")
_CODINGS = re.compile(TOKEN + rb"+(?:[ \t]*,[ \t]*" + TOKEN + rb"+)*")

# A head that is certainly plain: a common method, Host first, and no field that decides anything, but that the
# connection persists. Most requests without content are such, and one expression both judges and weighs them. It
# accepts only what the rules below accept, and says the same of it.
_PLAIN = re.compile(
    rb"(GET|HEAD|POST|PUT|DELETE|OPTIONS|PATCH) (/[!-\"$-~]*+) HTTP/1\.1\r\n"
    rb"[Hh]ost: [a-zA-Z0-9.\-]++(?::[0-9]{1,5}+)?\r\n"
    rb"(?:(?![cCtTuUeEhH](?i:ontent-length|ransfer-encoding|pgrade|xpect|ost):)"
    rb"(?:[Cc]onnection: keep-alive|(?![cC](?i:onnection):)" + TOKEN + rb"++:[^\x00-\x08\x0a-\x1f\x7f]*+)\r\n)*+\r\n"
)
match_plain = _PLAIN.fullmatch
"""Match a whole head that is plain, and nothing after it; its groups are the method and the target."""

PLAIN_SIZE = 400
"""Octets up to which no plain head can be over a limit of the default size."""

# Values of Host found good: most requests to a server name the same few. Bounded, for a peer chooses what it sends.
_good_hosts: set[bytes] = set()
_CACHED_HOSTS = 256


class HeadLimits(NamedTuple):
    """How large a request head may be.

    Attributes:
        line: octets of the request line (414).
        fields: number of field lines (431).
        field_size: octets of one field line (431).
        head: octets of the whole head (431).
    """

    line: int = 8190
    fields: int = 100
    field_size: int = 32768
    head: int = 65536

    def allows_plain(self) -> bool:
        """Tell whether a head of PLAIN_SIZE octets is within all limits, however it is made."""
        shortest = len(b"a:\r\n")
        return min(self.line, self.field_size, self.head, self.fields * shortest) >= PLAIN_SIZE


class Traits(NamedTuple):
    """What a request head says besides method, target and fields.

    Attributes:
        http_version: "1.1" or "1.0".
        length: octets of the body, or CHUNKED.
        keep_alive: the peer wants the connection to persist (RFC 9112, section 9.3).
        expect_continue: the peer waits for `100 Continue` (RFC 9110, section 10.1.1).
        upgrade: the peer asks for another protocol (RFC 9110, section 7.8).
    """

    http_version: str
    length: int
    keep_alive: bool
    expect_continue: bool
    upgrade: bool


PLAIN = Traits("1.1", 0, True, False, False)
"""The traits of a plain head: no content, nothing asked for."""


class Head(NamedTuple):
    """A request head that was judged.

    Attributes:
        method: the method (RFC 9110, section 9).
        target: the request target as received, visible ASCII.
        fields_start: the offset of the first field line.
        traits: what else it says.
    """

    method: str
    target: bytes
    fields_start: int
    traits: Traits


def judge_head(head: bytes, limits: HeadLimits) -> Head:
    """Return what a whole request head (up to and including its empty line) means.

    Raises:
        RequestError: the head is malformed, ambiguous or too large; the status says which.
    """
    match = _HEAD.fullmatch(head)
    if match is None:
        raise _fault(head, limits)
    method, target, minor = match.groups()
    start = match.end(3) + 2
    size = len(head)
    if start - 2 > limits.line:
        raise RequestError(414, f"request line of {start - 2} octets, over the limit of {limits.line}")
    if size > limits.head:
        raise RequestError(431, f"request head of {size} octets, over the limit of {limits.head}")
    if size > limits.field_size or not limits.allows_plain() or size > PLAIN_SIZE:
        _check_fields(head[start:], limits)
    known = METHODS.get(method)
    if known is None:
        raise RequestError(501, f"unknown method {method.decode()}")
    if target[0] != 0x2F:
        _check_target_form(method, target)

    traits = _weigh(_DECIDING.findall(head.lower()), minor == b"1")
    return Head(known, target, start, traits)


def judge_partial_head(head: bytes | bytearray, scanned: int, limits: HeadLimits) -> None:
    """Refuse as early as certain a head whose end isn't there yet.

    Arguments:
        head: what came so far.
        scanned: how much of it an earlier call has let pass.

    Raises:
        RequestError: a line ends with a bare LF or CR, or the head is over a limit already.
    """
    fresh = max(0, scanned - 1)
    line_ends = head.count(b"\r\n", fresh)
    if head.count(b"\n", fresh) - (head[fresh : fresh + 1] == b"\n" and fresh > 0) != line_ends:
        raise RequestError(400, "a line of the head ends without CR LF")
    if head.count(b"\r", fresh) - head.endswith(b"\r") > line_ends:
        raise RequestError(400, "a bare CR in the head")
    line = head.find(b"\r\n")
    if (len(head) if line < 0 else line) > limits.line:
        raise RequestError(414, f"request line over the limit of {limits.line} octets")
    if len(head) > limits.head:
        raise RequestError(431, f"request head over the limit of {limits.head} octets")


def _weigh(deciding: list[tuple[bytes, bytes]], new: bool) -> Traits:
    """Return what the deciding fields say."""
    hosts = 0
    lengths: list[bytes] = []
    codings: list[bytes] = []
    closes = persists = expects = upgrading = upgrade = False
    for name, value in deciding:
        if name == b"host":
            hosts += 1
            if value not in _good_hosts:
                _check_host(value)
        elif name == b"connection":
            if value == b"keep-alive":
                persists = True
            else:
                closes = closes or has_option(value, b"close")
                persists = persists or has_option(value, b"keep-alive")
                upgrading = upgrading or has_option(value, b"upgrade")
        elif name == b"content-length":
            lengths.append(value)
        elif name == b"transfer-encoding":
            codings.append(value)
        elif name == b"upgrade":
            upgrade = True
        else:
            _check_expectation(value, new)
            expects = True
    # RFC 9112, section 3.2: 400 to an HTTP/1.1 request without Host, and to any with more than one.
    if hosts != 1 and (new or hosts):
        raise RequestError(400, "more than one Host field" if hosts else "no Host field")
    length = _body_length(lengths, codings, new) if lengths or codings else 0
    # RFC 9110, sections 7.8 and 10.1.1: an upgrade and an expectation are ignored in an HTTP/1.0 request.
    return Traits(
        "1.1" if new else "1.0",
        length,
        (new or persists) and not closes,
        new and expects,
        new and upgrading and upgrade,
    )


def _check_host(value: bytes) -> None:
    if _HOST.fullmatch(value) is None:
        raise RequestError(400, "malformed Host field")
    if len(_good_hosts) < _CACHED_HOSTS and len(value) < _CACHED_HOSTS:
        _good_hosts.add(value)


def _check_expectation(value: bytes, new: bool) -> None:
    if new and value.rstrip(b" \t") != b"100-continue":
        raise RequestError(417, "unknown expectation")


def _body_length(lengths: list[bytes], codings: list[bytes], new: bool) -> int:
    """RFC 9112, section 6.3, in its strictest reading."""
    if codings:
        if lengths:
            raise RequestError(400, "both Transfer-Encoding and Content-Length")
        if not new:
            raise RequestError(400, "Transfer-Encoding in an HTTP/1.0 request")
        if len(codings) > 1:
            raise RequestError(400, "more than one Transfer-Encoding field")
        if codings[0] == b"chunked":
            return CHUNKED
        if _CODINGS.fullmatch(codings[0]) and not has_option(codings[0], b"chunked"):
            raise RequestError(501, "unsupported transfer coding")
        raise RequestError(400, "Transfer-Encoding is not exactly `chunked`")
    if len(lengths) > 1:
        raise RequestError(400, "more than one Content-Length field")
    match = _LENGTH.fullmatch(lengths[0])
    if match is None:
        raise RequestError(400, "malformed Content-Length")
    return int(match[1])


def _check_target_form(method: bytes, target: bytes) -> None:
    """RFC 9112, section 3.2: the forms other than origin-form, and the methods they go with."""
    if target == b"*":
        if method != b"OPTIONS":
            raise RequestError(400, "the target * goes with OPTIONS only")
    elif b"://" not in target:
        raise RequestError(400, "request target is neither a path nor a URI")


def _check_fields(fields: bytes, limits: HeadLimits) -> None:
    lines = fields.split(b"\r\n")[:-2]
    if len(lines) > limits.fields:
        raise RequestError(431, f"{len(lines)} fields, over the limit of {limits.fields}")
    longest = max(map(len, lines), default=0)
    if longest > limits.field_size:
        raise RequestError(431, f"a field of {longest} octets, over the limit of {limits.field_size}")


_REQUEST_LINE = re.compile(rb"(" + TOKEN + rb"+) ([!-~]+) HTTP/([0-9])\.([0-9])")


def _fault(head: bytes, limits: HeadLimits) -> RequestError:
    """Say what is wrong with a head that isn't one. Off the hot path."""
    if len(head) > limits.head:
        return RequestError(431, f"request head of {len(head)} octets, over the limit of {limits.head}")
    line, _, fields = head.partition(b"\r\n")
    if b"\n" in head.replace(b"\r\n", b"") or b"\r" in head.replace(b"\r\n", b""):
        return RequestError(400, "a bare CR or LF in the head")
    if len(line) > limits.line:
        return RequestError(414, f"request line of {len(line)} octets, over the limit of {limits.line}")
    match = _REQUEST_LINE.fullmatch(line)
    if match is None:
        return RequestError(400, "malformed request line")
    if match[3] + match[4] not in (b"10", b"11"):
        return RequestError(505, f"HTTP version {match[3].decode()}.{match[4].decode()}")
    if b"#" in match[2]:
        return RequestError(400, "a fragment in the request target")
    if len(match[1]) > 32:
        return RequestError(501, "unknown method")
    for field in fields.split(b"\r\n")[:-2]:
        if field[:1] in (b" ", b"\t"):
            return RequestError(400, "a folded field line")
        if re.fullmatch(_FIELD_LINE, field + b"\r\n") is None:
            return RequestError(400, "malformed field line")
    return RequestError(400, "malformed request head")
