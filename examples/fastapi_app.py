"""A FastAPI application: validation, a lifespan, and a WebSocket. Needs `pip install fastapi`.

monoceros-serve examples.fastapi_app:app

Its interactive documentation is at /docs.
"""

import itertools
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from typing import TypedDict

from fastapi import FastAPI, HTTPException, Request, WebSocket, WebSocketDisconnect
from pydantic import BaseModel, Field


class Item(BaseModel):
    """What a client sends."""

    name: str = Field(min_length=1, max_length=80)
    price: float = Field(ge=0)


class StoredItem(Item):
    """What it gets back."""

    id: int


class State(TypedDict):
    """What the requests share."""

    items: dict[int, StoredItem]
    ids: Iterator[int]


@asynccontextmanager
async def lifespan(app: FastAPI) -> AsyncIterator[State]:
    """Make what the requests share; after the `yield`, the place to close it again."""
    yield {"items": {}, "ids": itertools.count(1)}


app = FastAPI(title="Items", lifespan=lifespan)


@app.post("/items", status_code=201)
async def create(item: Item, request: Request) -> StoredItem:
    """Store an item."""
    stored = StoredItem(id=next(request.state.ids), **item.model_dump())
    request.state.items[stored.id] = stored
    return stored


@app.get("/items/{item_id}")
async def read(item_id: int, request: Request) -> StoredItem:
    """Return an item."""
    stored: StoredItem | None = request.state.items.get(item_id)
    if stored is None:
        raise HTTPException(404, "no such item")
    return stored


@app.websocket("/echo")
async def echo(websocket: WebSocket) -> None:
    """Send every message back."""
    await websocket.accept()
    try:
        while True:
            await websocket.send_text(await websocket.receive_text())
    except WebSocketDisconnect:
        pass  # the client, or the server, has left
