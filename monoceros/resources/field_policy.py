"""What is done to the fields of a request before the application sees them: a proxy's are read, doubtful ones go.

Knows names of fields and who is trusted; no connection. The rule it keeps: what is to be done for a peer is decided
once, when it connects, and is nothing at all for most.
"""

import enum
from collections.abc import Callable, Iterable
from functools import partial

from monoceros.asgi import Scope
from monoceros.errors import RequestError
from monoceros.resources.forwarded import ForwardedFields
from monoceros.resources.proxy import EVERYONE, TrustedHops

Rewrite = Callable[[Scope], None]
"""Changes the scope of a request in place. May raise a RequestError."""


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
        """Return what is to be done to the scopes of a peer's requests, or None if that is nothing.

        Arguments:
            host: the peer's address; None for a peer of a unix socket, which has none.
        """
        trusted = self._hops.trusts(host)
        rewrite = self._forwarded.rewrite if trusted and self._forwarded is not None else None
        if self._underscores is Underscores.PASS or (trusted and self._spares_all):
            return rewrite
        return partial(self._judge, rewrite, self._spared if trusted else frozenset())

    def _judge(self, rewrite: Rewrite | None, spared: frozenset[bytes], scope: Scope) -> None:
        if rewrite is not None:
            rewrite(scope)
        fields: list[tuple[bytes, bytes]] = scope["headers"]
        for name, _ in fields:
            if 0x5F in name and name not in spared:
                break
        else:
            return
        if self._underscores is Underscores.REFUSE:
            raise RequestError(400, f"a field with an underscore in its name: {name.decode('latin-1')}")
        fields[:] = [field for field in fields if 0x5F not in field[0] or field[0] in spared]
