"""The callbacks of asyncio: connections, request cycles and WebSocket sessions. Opens no socket and reads no file."""
