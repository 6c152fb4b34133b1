"""The states of a WebSocket session, between its handshake and its end (RFC 6455, sections 4 and 7)."""

from enum import Enum


class Phase(Enum):
    """How far a session is."""

    CONNECTING = "the handshake waits for the application's answer"
    DENYING = "the application answers it with a response of its own"
    OPEN = "messages flow"
    REFUSED = "the handshake was answered with a response; there is no WebSocket"
    CLOSING = "a close was sent; the peer's is awaited"
    LOST = "the peer is gone; what it had sent before isn't told yet"
    CLOSED = "the peer has closed, or is gone"
