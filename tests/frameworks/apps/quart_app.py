"""The application in Quart."""

from collections.abc import AsyncIterator

from quart import Quart, Response, jsonify, request, websocket
from quart.utils import run_sync

app = Quart(__name__)


@app.before_serving
async def start() -> None:
    app.config["STATE"] = "from start-up"


@app.get("/json")
async def greet() -> dict[str, str]:
    return {"hello": "world"}


@app.post("/json")
async def double() -> dict[str, int]:
    return {"doubled": 2 * (await request.get_json())["number"]}


@app.post("/echo")
async def echo() -> Response:
    return Response(await request.get_data(), content_type=request.headers["content-type"])


@app.get("/path/<path:rest>")
async def decode(rest: str) -> dict[str, object]:
    return {"path": rest, "query": request.args.getlist("q")}


@app.get("/headers")
async def headers() -> tuple[dict[str, str], dict[str, str]]:
    return {"question": request.headers["x-question"]}, {"X-Answer": "42"}


@app.get("/cookies")
async def cookies() -> Response:
    response = jsonify({"a": request.cookies["a"], "b": request.cookies["b"]})
    response.set_cookie("c", "3")
    response.set_cookie("d", "4", httponly=True)
    return response


@app.get("/stream")
async def stream() -> Response:
    async def parts() -> AsyncIterator[bytes]:
        for part in (b"one ", b"two ", b"three"):
            yield part

    return Response(parts(), content_type="application/octet-stream")


@app.get("/thread")
async def in_a_thread() -> Response:
    return jsonify({"ran": await run_sync("in a {}".format)("thread")})


@app.post("/upload")
async def upload() -> dict[str, object]:
    file = (await request.files)["file"]
    return {"name": file.filename, "type": file.content_type, "size": len(file.read())}


@app.get("/state")
async def state() -> dict[str, str]:
    return {"state": app.config["STATE"]}


@app.get("/error")
async def fail() -> Response:
    raise RuntimeError("on purpose")


@app.websocket("/ws")
async def converse() -> None:
    await websocket.accept(subprotocol="echo")
    await websocket.send(await websocket.receive())
    await websocket.send(await websocket.receive())
    await websocket.close(4321, "enough")
