"""What a request head means, judged on its raw bytes before any parser sees it; above all, where its body ends.

Parsers hide what matters for request smuggling: they join folded lines, take a bare LF, collapse equal lengths, pass
versions that don't exist. So every rule that makes a head ambiguous stands here, once, and all parsers see only heads
that mean one thing. The rule this module keeps: what isn't certainly one message is refused (RFC 9112, section 11.2).
"""

import re
from typing import NamedTuple

from monoceros.errors import RequestError
from monoceros.wire.fields import AUTHORITY, TOKEN, has_option
from monoceros.wire.grammar import FIELD_LINES, HEAD, check_line_so_far, fault
from monoceros.wire.limits import SMALL_HEAD, RequestLimits

CHUNKED = -1
"""The body length of a message with `Transfer-Encoding: chunked`."""

END_OF_HEAD = b"\r\n\r\n"

# The methods of the IANA registry; PURGE, which caches made common; those of UPnP and of Icecast. RFC 9110, section
# 9.1: an origin server that receives a method it doesn't know answers 501; a list also keeps a prefix smuggled into a
# method from passing.
METHODS = {
    name.encode(): name
    for name in (  # noqa: SIM905 - a paragraph of names reads better than a column
        "GET HEAD POST PUT DELETE OPTIONS PATCH TRACE QUERY ACL BASELINE-CONTROL BIND CHECKIN CHECKOUT COPY LABEL LINK "
        "LOCK MERGE MKACTIVITY MKCALENDAR MKCOL MKREDIRECTREF MKWORKSPACE MOVE ORDERPATCH PROPFIND PROPPATCH PURGE "
        "REBIND REPORT SEARCH UNBIND UNCHECKOUT UNLINK UNLOCK UPDATE UPDATEREDIRECTREF VERSION-CONTROL "
        "M-SEARCH NOTIFY SUBSCRIBE UNSUBSCRIBE SOURCE"
    ).split()
}

# The fields that decide something here, over the lower-cased head: one search finds them all. Those that frame the
# content are found with other marks than a hyphen too, or with marks around them: where a gateway folds such names into
# one - an underscore, often - they would decide there.
_MARK = rb"[^0-9a-z:]"
_DECIDING = re.compile(
    rb"\n(host|connection|upgrade|expect|"
    rb"[^0-9a-z]*+(?:content" + _MARK + rb"++length|transfer" + _MARK + rb"++encoding)" + _MARK + rb"*+):"
    rb"[ \t]*([^\r]*)"
)  # fmt: skip
_HOST = re.compile(AUTHORITY + rb"[ \t]*")
_LENGTH = re.compile(rb"([0-9]{1,18})[ \t]*")
# Codings that aren't `chunked`, and then it (RFC 9112, section 6.1).
_CODINGS = re.compile(rb"(?:(?!chunked[ \t]*,)" + TOKEN + rb"++[ \t]*,[ \t]*)++chunked")

_CONTENT_TYPES = re.compile(rb"(?i:\ncontent-type):[ \t]*+([^\r]*)")

# Values of Host found good: most requests to a server name the same few. Bounded, for a peer chooses what it sends.
_good_hosts: set[bytes] = set()
_CACHED_HOSTS = 256


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


def judge_head(head: bytes, limits: RequestLimits) -> Head:
    """Return what a whole request head (up to and including its empty line) means.

    Raises:
        RequestError: the head is malformed, ambiguous or too large, or announces too much content; the status says
            which.
    """
    match = HEAD.fullmatch(head)
    if match is None:
        raise fault(head, limits)
    method, target, minor = match.groups()
    start = match.end(3) + 2
    size = len(head)
    if start - 2 > limits.line:
        raise RequestError(414, f"request line of {start - 2} octets, over the limit of {limits.line}")
    if size > limits.head:
        raise RequestError(431, f"request head of {size} octets, over the limit of {limits.head}")
    if size > SMALL_HEAD or not limits.allows_small():
        _check_fields(head[start:], limits)
    known = METHODS.get(method)
    if known is None:
        raise RequestError(501, f"unknown method {method.decode()}")
    if target[0] != 0x2F or b"\\" in target:
        _check_target_form(method, target)

    lower = head.lower()
    traits = _weigh(_DECIDING.findall(lower), minor == b"1")
    if traits.length:
        if limits.body is not None and traits.length > limits.body:
            raise RequestError(413, f"content of {traits.length} octets, over the limit of {limits.body}")
        if lower.count(b"\ncontent-type:") > 1:
            _check_content_type(head)
    return Head(known, target, start, traits)


def judge_partial_head(head: bytes, scanned: int, limits: RequestLimits) -> None:
    """Refuse early a head whose end isn't there yet: a peer that will be refused needn't be waited for.

    Arguments:
        head: what came so far.
        scanned: how much of it an earlier call has let pass.

    Raises:
        RequestError: what is complete of it is malformed or ambiguous, or the head is over a limit already.
    """
    line = head.find(b"\n") - 1
    judged = head.rfind(b"\n", 0, scanned) + 1
    if not judged:
        check_line_so_far(head if line < 0 else head[:line], limits)
    if len(head) > limits.head:
        raise RequestError(431, f"request head over the limit of {limits.head} octets")
    if line < 0:
        return
    complete = head.rfind(b"\n") + 1
    if judged < complete:
        fresh_lines = head[judged:complete]
        if (FIELD_LINES.fullmatch(fresh_lines) if judged else HEAD.fullmatch(fresh_lines + b"\r\n")) is None:
            raise fault(head[:complete] + b"\r\n", limits)
        if head.count(b"\r\n") - 1 > limits.fields:
            raise RequestError(431, f"over the limit of {limits.fields} fields")
        _weigh(_DECIDING.findall(head[line:complete].lower()), head[line - 1 : line] == b"1", complete=False)
    if head.find(b"\r", max(complete, scanned - 1), len(head) - 1) >= 0:
        raise RequestError(400, "a bare CR in the head")
    if head.startswith((b" ", b"\t"), complete):
        raise RequestError(400, "a folded field line")
    if len(head) - head.endswith(b"\r") - complete > limits.field_size:
        raise RequestError(431, f"a field over the limit of {limits.field_size} octets")


def _weigh(deciding: list[tuple[bytes, bytes]], new: bool, *, complete: bool = True) -> Traits:
    """Return what the deciding fields say; of a head that isn't complete, what they say so far."""
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
        elif name == b"expect":
            _check_expectation(value, new)
            expects = True
        else:
            raise RequestError(400, f"the field {name.decode()}, which some take for one of the framing")
    # RFC 9112, section 3.2: 400 to an HTTP/1.1 request without Host, and to any with more than one.
    if hosts > 1:
        raise RequestError(400, "more than one Host field")
    if new and complete and not hosts:
        raise RequestError(400, "no Host field")
    length = _body_length(lengths, codings, new, complete) if lengths or codings else 0
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


def _body_length(lengths: list[bytes], codings: list[bytes], new: bool, complete: bool) -> int:
    """RFC 9112, section 6.3, in its strictest reading."""
    if codings:
        if lengths:
            raise RequestError(400, "both Transfer-Encoding and Content-Length")
        if not new:
            raise RequestError(400, "Transfer-Encoding in an HTTP/1.0 request")
        # Which codings there are is known when all lines of the field are there.
        if codings == [b"chunked"] or not complete:
            return CHUNKED
        # RFC 9112, sections 6.1 and 6.3: 501 to a coding that isn't understood; 400 unless `chunked` is the last one.
        if _CODINGS.fullmatch(b",".join(codings)):
            raise RequestError(501, "unsupported transfer coding")
        raise RequestError(400, "Transfer-Encoding is not exactly `chunked`")
    if len(lengths) > 1:
        raise RequestError(400, "more than one Content-Length field")
    match = _LENGTH.fullmatch(lengths[0])
    if match is None:
        raise RequestError(400, "malformed Content-Length")
    return int(match[1])


def _check_content_type(head: bytes) -> None:
    """RFC 9110, section 8.3: which of several is meant, readers differ on. One said twice is one."""
    if len(set(_CONTENT_TYPES.findall(head))) > 1:
        raise RequestError(400, "Content-Type fields that differ")


def _check_target_form(method: bytes, target: bytes) -> None:
    """RFC 9112, section 3.2: the forms other than origin-form, and the methods they go with."""
    # Not in a path (RFC 3986, section 3.3), though some read it as a slash. Browsers send it in queries.
    if b"\\" in target.partition(b"?")[0]:
        raise RequestError(400, "a backslash in the path")
    if target[0] == 0x2F:
        return
    if target == b"*":
        # UPnP asks so for devices.
        if method not in (b"OPTIONS", b"M-SEARCH"):
            raise RequestError(400, "the target * goes with OPTIONS only")
    elif b"://" not in target:
        raise RequestError(400, "request target is neither a path nor a URI")


def _check_fields(fields: bytes, limits: RequestLimits) -> None:
    lines = fields.split(b"\r\n")[:-2]
    if len(lines) > limits.fields:
        raise RequestError(431, f"{len(lines)} fields, over the limit of {limits.fields}")
    longest = max(map(len, lines), default=0)
    if longest > limits.field_size:
        raise RequestError(431, f"a field of {longest} octets, over the limit of {limits.field_size}")
