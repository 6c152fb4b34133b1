"""The Forwarded field (RFC 7239): what each proxy on a request's way has said of it, read from the last one backwards.

Knows the grammar; no address and no trust. The rule it keeps: an element is read without regard to what stands before
it. That may be what a client made up, and a quote which it left open must not hide what a proxy appended.
"""

import re
from collections.abc import Iterator
from typing import Final

from monoceros.wire.fields import TOKEN

# Section 4. Beyond it, white space may surround a semicolon, and a value without quotes may have the colons and
# brackets of an address: some proxies write so, and neither can be taken for anything else.
_VALUE: Final = rb"(?:" + TOKEN + rb"|[:\[\]])++"
_QUOTED: Final = rb'"(?:[\t \x21\x23-\x5B\x5D-\x7E\x80-\xFF]|\\[\t\x20-\x7E\x80-\xFF])*+"'
_PAIR: Final = re.compile(rb"(" + TOKEN + rb"++)=(" + _VALUE + rb"|" + _QUOTED + rb")")
_PAIRS: Final = rb"(?:" + _PAIR.pattern + rb")?+"
_ELEMENT: Final = re.compile(rb"[ \t]*+" + _PAIRS + rb"(?:[ \t]*+;[ \t]*+" + _PAIRS + rb")*+[ \t]*+")
_ESCAPED: Final = re.compile(rb"\\(.)", re.DOTALL)


def elements_backwards(value: bytes) -> Iterator[dict[str, str] | None]:
    """Read the elements of a field, the last one first.

    Arguments:
        value: of several such fields, all values in order joined by commas.

    Yields:
        For each element its parameters: names in lower case, values without their quotes. It is empty if the element
        is. None for one that is malformed or has a parameter twice, and then no more: where it begins isn't known.
    """
    end = len(value)
    while True:
        start = value.rfind(b",", 0, end) + 1
        while _ELEMENT.fullmatch(value, start, end) is None:
            # The comma may stand between quotes. In what isn't an element, each octet is looked at twice at most.
            if not start:
                yield None
                return
            start = value.rfind(b",", 0, start - 1) + 1
        parameters: dict[str, str] = {}
        for name, text in _PAIR.findall(value, start, end):
            key = name.decode().lower()
            if key in parameters:
                yield None
                return
            if text.startswith(b'"'):
                text = _ESCAPED.sub(rb"\1", text[1:-1])
            parameters[key] = text.decode("latin-1")
        yield parameters
        if not start:
            return
        end = start - 1
