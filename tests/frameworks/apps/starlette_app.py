"""The application in Starlette."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response, StreamingResponse
from starlette.routing import Route, WebSocketRoute
from starlette.websockets import WebSocket


@asynccontextmanager
async def lifespan(app: Starlette) -> AsyncIterator[dict[str, str]]:
    yield {"state": "from start-up"}


async def json(request: Request) -> Response:
    if request.method == "POST":
        return JSONResponse({"doubled": 2 * (await request.json())["number"]})
    return JSONResponse({"hello": "world"})


async def echo(request: Request) -> Response:
    return Response(await request.body(), media_type=request.headers["content-type"])


async def decode(request: Request) -> Response:
    return JSONResponse({"path": request.path_params["rest"], "query": request.query_params.getlist("q")})


async def headers(request: Request) -> Response:
    return JSONResponse({"question": request.headers["x-question"]}, headers={"X-Answer": "42"})


async def cookies(request: Request) -> Response:
    response = JSONResponse({"a": request.cookies["a"], "b": request.cookies["b"]})
    response.set_cookie("c", "3")
    response.set_cookie("d", "4", httponly=True)
    return response


async def stream(request: Request) -> Response:
    async def parts() -> AsyncIterator[bytes]:
        for part in (b"one ", b"two ", b"three"):
            yield part

    return StreamingResponse(parts(), media_type="application/octet-stream")


def in_a_thread(request: Request) -> Response:
    return JSONResponse({"ran": "in a thread"})


async def state(request: Request) -> Response:
    return JSONResponse({"state": request.state.state})


async def fail(request: Request) -> Response:
    raise RuntimeError("on purpose")


async def converse(websocket: WebSocket) -> None:
    await websocket.accept(subprotocol="echo")
    await websocket.send_text(await websocket.receive_text())
    await websocket.send_bytes(await websocket.receive_bytes())
    await websocket.close(4321, "enough")


app = Starlette(
    lifespan=lifespan,
    routes=[
        Route("/json", json, methods=["GET", "POST"]),
        Route("/echo", echo, methods=["POST"]),
        Route("/path/{rest:path}", decode),
        Route("/headers", headers),
        Route("/cookies", cookies),
        Route("/stream", stream),
        Route("/thread", in_a_thread),
        Route("/state", state),
        Route("/error", fail),
        WebSocketRoute("/ws", converse),
    ],
)
