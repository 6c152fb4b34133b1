"""Bytes in, bytes out: HTTP/1.1 messages and WebSocket frames, without asyncio, sockets, clocks or logging."""
