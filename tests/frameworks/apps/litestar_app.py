"""The application in Litestar."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Annotated, Any

from litestar import Litestar, Request, Response, WebSocket, get, post, websocket
from litestar.datastructures import Cookie, State, UploadFile
from litestar.enums import RequestEncodingType
from litestar.params import Body, Parameter
from litestar.response import Stream


@asynccontextmanager
async def lifespan(app: Litestar) -> AsyncIterator[None]:
    app.state.state = "from start-up"
    yield


@get("/json")
async def greet() -> dict[str, str]:
    return {"hello": "world"}


@post("/json", status_code=200)
async def double(data: dict[str, int]) -> dict[str, int]:
    return {"doubled": 2 * data["number"]}


@post("/echo", status_code=200)
async def echo(request: Request[Any, Any, Any]) -> Response[bytes]:
    return Response(await request.body(), media_type=request.headers["content-type"])


@get("/path/{rest:path}")
async def decode(rest: Path, q: list[str]) -> dict[str, object]:
    return {"path": str(rest).removeprefix("/"), "query": q}


@get("/headers")
async def headers(x_question: Annotated[str, Parameter(header="x-question")]) -> Response[dict[str, str]]:
    return Response({"question": x_question}, headers={"X-Answer": "42"})


@get("/cookies")
async def cookies(
    a: Annotated[str, Parameter(cookie="a")], b: Annotated[str, Parameter(cookie="b")]
) -> Response[dict[str, str]]:
    return Response({"a": a, "b": b}, cookies=[Cookie("c", value="3"), Cookie("d", value="4", httponly=True)])


@get("/stream", media_type="application/octet-stream")
async def stream() -> Stream:
    async def parts() -> AsyncIterator[bytes]:
        for part in (b"one ", b"two ", b"three"):
            yield part

    return Stream(parts())


@get("/thread", sync_to_thread=True)
def in_a_thread() -> dict[str, str]:
    return {"ran": "in a thread"}


@post("/upload", status_code=200)
async def upload(
    data: Annotated[dict[str, UploadFile], Body(media_type=RequestEncodingType.MULTI_PART)],
) -> dict[str, object]:
    file = data["file"]
    return {"name": file.filename, "type": file.content_type, "size": len(await file.read())}


@get("/state")
async def read_state(state: State) -> dict[str, str]:
    return {"state": state.state}


@get("/error")
async def fail() -> None:
    raise RuntimeError("on purpose")


@websocket("/ws")
async def converse(socket: WebSocket[Any, Any, Any]) -> None:
    await socket.accept(subprotocols="echo")
    await socket.send_text(await socket.receive_text())
    await socket.send_bytes(await socket.receive_bytes())
    await socket.close(4321, "enough")


app = Litestar(
    [greet, double, echo, decode, headers, cookies, stream, in_a_thread, upload, read_state, fail, converse],
    lifespan=[lifespan],
)
