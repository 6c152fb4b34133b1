"""What is done to the fields of a request before the application sees them: a proxy's are read, doubtful ones go.

Knows names of fields and who is trusted; no connection. The rule it keeps: what is to be done for a peer is decided
once, when it connects, and is nothing at all for most.
"""

import enum
from collections.abc import Callable, Iterable
from functools import partial

from monoceros.asgi import Headers, Scope
from monoceros.errors import RequestError
from monoceros.resources.forwarded import ForwardedFields
from monoceros.resources.proxy import EVERYONE, TrustedHops

Rewrite = Callable[[Scope], bool]
"""Changes the scope of a request in place; returns whether there was nothing to change. May raise a RequestError."""

Filter = Callable[[Headers], None]
"""Changes the fields of a request in place. May raise a RequestError."""


class Underscores(enum.Enum):
    """What becomes of fields with an underscore in their names. `X_User` is taken for `X-User` by applications that
    write both as `HTTP_X_USER`, and a proxy that guards the one doesn't see the other."""

    DROP = "drop"
    REFUSE = "refuse"
    PASS = "dangerous"


class FieldPolicy:
    """Decides what is done for each peer.

    Arguments:
        hops: the peers that are trusted.
        forwarded: reads what they say; None if it doesn't count.
        underscores: what becomes of fields with an underscore in their names.
        spared: names of such fields, in any case, that trusted peers may send nevertheless; `*` is all.
    """

    def __init__(
        self,
        hops: TrustedHops,
        forwarded: ForwardedFields | None,
        *,
        underscores: Underscores = Underscores.PASS,
        spared: Iterable[str] = (),
    ) -> None:
        self._hops = hops
        self._forwarded = forwarded
        self._underscores = underscores
        names = set(spared)
        self._spares_all = EVERYONE in names
        self._spared = frozenset(name.lower().encode("latin-1") for name in names)

    def rewriter(self, host: str | None) -> Rewrite | None:
        """Return what puts into the scopes of a peer's requests what it says of its client, or None if nothing counts.

        Arguments:
            host: the peer's address; None for a peer of a unix socket, which has none.
        """
        return self._forwarded.rewrite if self._forwarded is not None and self._hops.trusts(host) else None

    def name_filter(self, host: str | None) -> Filter | None:
        """Return what is done to the fields of a peer's requests for their names, or None if that is nothing.

        Arguments:
            host: the same.
        """
        trusted = self._hops.trusts(host)
        if self._underscores is Underscores.PASS or (trusted and self._spares_all):
            return None
        return partial(self._judge, self._spared if trusted else frozenset())

    def _judge(self, spared: frozenset[bytes], fields: Headers) -> None:
        for name, _ in fields:
            if 0x5F in name and name not in spared:
                break
        else:
            return
        if self._underscores is Underscores.REFUSE:
            raise RequestError(400, f"a field with an underscore in its name: {name.decode('latin-1')}")
        fields[:] = [field for field in fields if 0x5F not in field[0] or field[0] in spared]
