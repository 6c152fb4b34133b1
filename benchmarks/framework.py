"""What most people serve: a FastAPI application whose route takes a parameter of each kind and gives a model back."""

from fastapi import FastAPI
from pydantic import BaseModel

app = FastAPI()


class Item(BaseModel):
    """What the route gives."""

    number: int
    name: str
    tags: list[str] = []


@app.get("/items/{number}")
async def item(number: int, name: str = "nothing") -> Item:
    """Give one item."""
    return Item(number=number, name=name, tags=["a", "b"])
