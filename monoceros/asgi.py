"""The vocabulary of the ASGI specification (version 3.0), and nothing else."""

from collections.abc import Awaitable, Callable, MutableMapping
from typing import Any

Scope = MutableMapping[str, Any]
Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]
Application = Callable[[Scope, Receive, Send], Awaitable[None]]

Headers = list[tuple[bytes, bytes]]
Address = tuple[str, int]

# Not 2.4 or later for HTTP: those promise that `send` raises once the client is gone, and frameworks then stop
# listening for `http.disconnect`. Ours does nothing then, as the design has it.
HTTP_SPEC_VERSION = "2.3"
WEBSOCKET_SPEC_VERSION = "2.4"
LIFESPAN_SPEC_VERSION = "2.0"
