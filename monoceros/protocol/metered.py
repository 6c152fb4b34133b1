"""A transport that counts what is written to it.

Knows no request. The rule it keeps: whoever has it sees no difference from the transport it stands for.
"""

import asyncio
from typing import Any


class MeteredTransport(asyncio.Transport):
    """Stands for the transport of one connection.

    Arguments:
        transport: that transport.

    Attributes:
        written: octets that were written, heads and framing included.
        aborted: what the transport held was thrown away.
    """

    __slots__ = ("_counted", "aborted", "written")

    def __init__(self, transport: asyncio.Transport) -> None:
        super().__init__()
        self._counted = transport
        self.written = 0
        self.aborted = False

    def write(self, data: bytes | bytearray | memoryview) -> None:
        """Write, unless the transport is closing: then it takes nothing."""
        if not self._counted.is_closing():
            self.written += len(data)
        self._counted.write(data)

    def write_eof(self) -> None:
        self._counted.write_eof()

    def can_write_eof(self) -> bool:
        return self._counted.can_write_eof()

    def get_write_buffer_size(self) -> int:
        return self._counted.get_write_buffer_size()

    def get_write_buffer_limits(self) -> tuple[int, int]:
        return self._counted.get_write_buffer_limits()

    def set_write_buffer_limits(self, high: int | None = None, low: int | None = None) -> None:
        self._counted.set_write_buffer_limits(high, low)

    def is_reading(self) -> bool:
        return self._counted.is_reading()

    def pause_reading(self) -> None:
        self._counted.pause_reading()

    def resume_reading(self) -> None:
        self._counted.resume_reading()

    def is_closing(self) -> bool:
        return self._counted.is_closing()

    def close(self) -> None:
        self._counted.close()

    def abort(self) -> None:
        self.aborted = True
        self._counted.abort()

    def get_extra_info(self, name: str, default: Any = None) -> Any:
        return self._counted.get_extra_info(name, default)

    def get_protocol(self) -> asyncio.BaseProtocol:
        return self._counted.get_protocol()

    def set_protocol(self, protocol: asyncio.BaseProtocol) -> None:
        self._counted.set_protocol(protocol)
