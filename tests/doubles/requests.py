"""Who a request reader tells, and a conversation with one: bytes in, requests and at most one refusal out."""

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field

from monoceros.errors import RequestError
from monoceros.wire.framing import Traits
from monoceros.wire.h11_parser import H11Parser
from monoceros.wire.httptools_parser import HttptoolsParser
from monoceros.wire.limits import RequestLimits
from monoceros.wire.reader import FieldParser, RequestReader
from monoceros.wire.target import split_absolute

PARSERS: dict[str, Callable[[], FieldParser]] = {"httptools": HttptoolsParser, "h11": H11Parser}
LIMITS = RequestLimits()


@dataclass
class Received:
    """One request, as the reader told of it."""

    method: str
    target: bytes
    traits: Traits
    fields: list[tuple[bytes, bytes]]
    body: bytes = b""
    ended: bool = False


@dataclass
class RecordingSink:
    """Keeps what it is told of; `on_request` and `on_end` are called within the reader's own calls."""

    requests: list[Received] = field(default_factory=list)
    waits: int = 0
    on_request: Callable[[], object] | None = None
    on_end: Callable[[], object] | None = None

    def request_received(
        self, method: str, target: bytes, traits: Traits, fields: list[tuple[bytes, bytes]], content: bytes = b""
    ) -> None:
        if target[:1] != b"/" and target != b"*":
            split_absolute(target)  # as the connection does
        assert len(content) in (0, traits.length)
        ended = traits.length == len(content)
        self.requests.append(Received(method, target, traits, list(fields), content, ended))
        if self.on_request is not None:
            self.on_request()

    def body_received(self, data: bytes) -> None:
        assert data
        assert not self.requests[-1].ended
        self.requests[-1].body += data

    def body_ended(self) -> None:
        assert not self.requests[-1].ended
        self.requests[-1].ended = True
        if self.on_end is not None:
            self.on_end()

    def input_waits(self) -> None:
        self.waits += 1


class Conversation:
    """A reader, its sink, and a peer that sends pieces. Each request is answered as soon as it is complete."""

    def __init__(self, parser: FieldParser, limits: RequestLimits = LIMITS) -> None:
        self.sink = RecordingSink()
        self.reader = RequestReader(self.sink, parser, limits)
        self.refusal: RequestError | None = None
        self._answered = 0

    def send(self, pieces: Iterable[bytes]) -> "Conversation":
        try:
            for piece in pieces:
                self.reader.feed(piece)
                while self._answered < len(self.sink.requests) and self.sink.requests[-1].ended:
                    self._answered = len(self.sink.requests)
                    self.reader.resume()
        except RequestError as exc:
            self.refusal = exc
        return self

    @property
    def status(self) -> int | None:
        return self.refusal.status if self.refusal else None


def bytewise(data: bytes) -> list[bytes]:
    return [data[at : at + 1] for at in range(len(data))]


def two_way_cuts(data: bytes) -> Iterator[tuple[bytes, bytes]]:
    return ((data[:at], data[at:]) for at in range(1, len(data)))
