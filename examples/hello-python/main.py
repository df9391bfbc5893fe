"""A function in Python: an ASGI application without any dependency.

GET  /            a greeting as JSON
GET  /stream      one line at a time
POST /echo        the body comes back
"""

import asyncio
import json
import platform
from urllib.parse import parse_qs


async def app(scope, receive, send):
    if scope["type"] == "lifespan":
        return await lifespan(receive, send)
    if scope["type"] != "http":
        return
    path = scope["path"]
    if path == "/":
        query = parse_qs(scope["query_string"].decode())
        name = query.get("name", ["world"])[0]
        await send_json(send, 200, {
            "message": f"Hello, {name}!",
            "runtime": f"Python {platform.python_version()}",
            "method": scope["method"],
        })
    elif path == "/stream":
        await start(send, 200, b"text/plain; charset=utf-8")
        for count in range(1, 6):
            await asyncio.sleep(0.1)
            await send({"type": "http.response.body", "body": f"{count}\n".encode(), "more_body": True})
        await send({"type": "http.response.body", "body": b""})
    elif path == "/echo":
        await start(send, 200, b"application/octet-stream")
        more = True
        while more:
            event = await receive()
            more = event.get("more_body", False)
            await send({"type": "http.response.body", "body": event.get("body", b""), "more_body": more})
    else:
        await send_json(send, 404, {"error": f"There is nothing at {path}"})


async def lifespan(receive, send):
    while True:
        event = await receive()
        await send({"type": f"{event['type']}.complete"})
        if event["type"] == "lifespan.shutdown":
            return


async def start(send, status, content_type):
    headers = [(b"content-type", content_type)]
    await send({"type": "http.response.start", "status": status, "headers": headers})


async def send_json(send, status, value):
    await start(send, status, b"application/json")
    await send({"type": "http.response.body", "body": json.dumps(value).encode()})
