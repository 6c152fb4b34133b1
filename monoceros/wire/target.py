"""The request target in absolute-form (RFC 9112, section 3.2.2), as clients send it to proxies.

The target has been judged by `framing` before it comes here: visible ASCII, no fragment, a form that fits the method.
"""

import re

from monoceros.errors import RequestError
from monoceros.wire.fields import AUTHORITY

# scheme "://" authority, then the path and query (RFC 9110, section 4.2).
_ABSOLUTE = re.compile(rb"(?i:https?)://(" + AUTHORITY + rb")(/[^?]*+)?(\?.*)?")


def split_absolute(target: bytes) -> tuple[bytes, bytes]:
    """Return the authority and the origin-form of a target in absolute-form.

    Raises:
        RequestError: 400, if the target isn't an http or https URI with an authority.
    """
    match = _ABSOLUTE.fullmatch(target)
    if match is None:
        raise RequestError(400, "request target is neither a path nor an http URI")
    authority, path, query = match.groups(default=b"")
    return authority, (path or b"/") + query
