"""Start-up, shutdown, and what requests share: the lifespan of an application.

monoceros-serve examples.lifespan_state:app

What to look at: whatever the lifespan puts into `scope["state"]` stands in the scope of each request, and what was
opened at start-up is closed after the last request has been answered. Each worker process has a lifespan of its own.
"""

import json
import os
import sqlite3

from monoceros.asgi import Receive, Scope, Send


async def app(scope: Scope, receive: Receive, send: Send) -> None:
    """Count the visits of each path, in a database that lives as long as the process."""
    if scope["type"] == "lifespan":
        await live(scope, receive, send)
    elif scope["type"] == "http":
        await answer(scope, send)
    else:
        raise NotImplementedError(f"{scope['type']} isn't served here")


async def live(scope: Scope, receive: Receive, send: Send) -> None:
    """Hold the database open from `lifespan.startup` to `lifespan.shutdown`."""
    await receive()
    database = sqlite3.connect(":memory:")
    try:
        database.execute("create table visits (path text primary key, times integer)")
    except sqlite3.Error as exc:
        # The server ends with this message and exit code 3.
        await send({"type": "lifespan.startup.failed", "message": str(exc)})
        return
    scope["state"]["database"] = database
    await send({"type": "lifespan.startup.complete"})
    await receive()
    database.close()
    await send({"type": "lifespan.shutdown.complete"})


async def answer(scope: Scope, send: Send) -> None:
    """Answer with the number of visits so far."""
    database: sqlite3.Connection = scope["state"]["database"]
    ((times,),) = database.execute(
        "insert into visits values (?, 1) on conflict do update set times = times + 1 returning times", (scope["path"],)
    )
    body = json.dumps({"path": scope["path"], "visits": times, "process": os.getpid()}).encode() + b"\n"
    headers = [(b"content-type", b"application/json"), (b"content-length", str(len(body)).encode())]
    await send({"type": "http.response.start", "status": 200, "headers": headers})
    await send({"type": "http.response.body", "body": body})
