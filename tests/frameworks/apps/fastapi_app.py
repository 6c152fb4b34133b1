"""The application in FastAPI."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Annotated

from fastapi import Body, Cookie, FastAPI, Header, Query, Request, Response, WebSocket
from fastapi.responses import StreamingResponse


@asynccontextmanager
async def lifespan(app: FastAPI) -> AsyncIterator[dict[str, str]]:
    yield {"state": "from start-up"}


app = FastAPI(lifespan=lifespan)


@app.get("/json")
async def greet() -> dict[str, str]:
    return {"hello": "world"}


@app.post("/json")
async def double(number: Annotated[int, Body(embed=True)]) -> dict[str, int]:
    return {"doubled": 2 * number}


@app.post("/echo")
async def echo(request: Request) -> Response:
    return Response(await request.body(), media_type=request.headers["content-type"])


@app.get("/path/{rest:path}")
async def decode(rest: str, q: Annotated[list[str], Query()]) -> dict[str, object]:
    return {"path": rest, "query": q}


@app.get("/headers")
async def headers(response: Response, x_question: Annotated[str, Header()]) -> dict[str, str]:
    response.headers["X-Answer"] = "42"
    return {"question": x_question}


@app.get("/cookies")
async def cookies(response: Response, a: Annotated[str, Cookie()], b: Annotated[str, Cookie()]) -> dict[str, str]:
    response.set_cookie("c", "3")
    response.set_cookie("d", "4", httponly=True)
    return {"a": a, "b": b}


@app.get("/stream")
async def stream() -> StreamingResponse:
    async def parts() -> AsyncIterator[bytes]:
        for part in (b"one ", b"two ", b"three"):
            yield part

    return StreamingResponse(parts(), media_type="application/octet-stream")


@app.get("/thread")
def in_a_thread() -> dict[str, str]:
    return {"ran": "in a thread"}


@app.get("/state")
async def state(request: Request) -> dict[str, str]:
    return {"state": request.state.state}


@app.get("/error")
async def fail() -> None:
    raise RuntimeError("on purpose")


@app.websocket("/ws")
async def converse(websocket: WebSocket) -> None:
    await websocket.accept(subprotocol="echo")
    await websocket.send_text(await websocket.receive_text())
    await websocket.send_bytes(await websocket.receive_bytes())
    await websocket.close(4321, "enough")
