"""Runs an ASGI application in a runtime that was made for the network's first nodes (protocol 05 §6.7).

Such a runtime has Python, but nothing that serves; only the standard library is counted on. It is handed to Python as
a text: the runtime's own init, which spoke another protocol, is not run.
"""

import asyncio
import importlib
import os
import sys
import traceback
from urllib.parse import unquote_to_bytes

MAX_HEAD = 65536
CHUNK = 65536


def load(entrypoint):
    """`module.sub:attribute`; or a file whose variable of the same name is the application."""
    name, colon, attribute = entrypoint.partition(":")
    if colon:
        application = importlib.import_module(name)
        for part in attribute.split("."):
            application = getattr(application, part)
        return application
    variables = {"__name__": "__aleph_program__"}
    with open(f"/code/{name}.py") as file:
        exec(compile(file.read(), file.name, "exec"), variables)
    return variables[name]


class Lifespan:
    """Tells the application that it starts; many do not listen."""

    def __init__(self, application):
        self.application = application
        self.answered = asyncio.Event()
        self.failed = False
        self.asked = False

    async def start(self):
        self.task = asyncio.create_task(self.run())
        waiting = asyncio.create_task(self.answered.wait())
        await asyncio.wait({self.task, waiting}, timeout=30, return_when=asyncio.FIRST_COMPLETED)
        waiting.cancel()
        if self.failed:
            sys.exit("the application failed to start")

    async def run(self):
        try:
            await self.application({"type": "lifespan", "asgi": {"version": "3.0"}}, self.receive, self.send)
        except BaseException:
            # An application that knows no lifespan is served without.
            self.answered.set()

    async def receive(self):
        if self.asked:
            await asyncio.Event().wait()
        self.asked = True
        return {"type": "lifespan.startup"}

    async def send(self, event):
        self.failed = event["type"] == "lifespan.startup.failed"
        self.answered.set()


class Call:
    """One request and its answer."""

    def __init__(self, reader, writer, head):
        self.reader, self.writer = reader, writer
        line, *lines = head.decode("latin-1").split("\r\n")
        self.method, self.target, version = line.split(" ")
        pairs = [text.split(":", 1) for text in lines if text]
        self.headers = [(name.strip().lower().encode("latin-1"), value.strip().encode("latin-1")) for name, value in pairs]
        values = dict(self.headers)
        self.keeps = version == "HTTP/1.1" and values.get(b"connection", b"").lower() != b"close"
        self.chunked = b"chunked" in values.get(b"transfer-encoding", b"").lower()
        self.left = int(values.get(b"content-length", b"0"))
        self.expects = values.get(b"expect", b"").lower() == b"100-continue"
        self.body_read = self.left == 0 and not self.chunked
        self.head_sent = self.answer_chunked = self.answered = False

    def scope(self):
        path, _, query = self.target.partition("?")
        return {
            "type": "http",
            "asgi": {"version": "3.0", "spec_version": "2.3"},
            "http_version": "1.1",
            "method": self.method,
            "scheme": "http",
            "path": unquote_to_bytes(path).decode("utf-8", "replace"),
            "raw_path": path.encode("latin-1"),
            "query_string": query.encode("latin-1"),
            "root_path": "",
            "headers": self.headers,
            "server": ("127.0.0.1", 8080),
            "client": ("127.0.0.1", 0),
        }

    async def receive(self):
        if self.body_read:
            if getattr(self, "told", False):
                await self.reader.read(1)
                return {"type": "http.disconnect"}
            self.told = True
            return {"type": "http.request", "body": b"", "more_body": False}
        if self.expects:
            self.expects = False
            self.writer.write(b"HTTP/1.1 100 Continue\r\n\r\n")
        body = await self.read_chunk() if self.chunked else await self.reader.read(min(CHUNK, self.left))
        if not self.chunked:
            self.left -= len(body)
            self.body_read = self.left == 0
            if not body:
                return {"type": "http.disconnect"}
        self.told = self.body_read
        return {"type": "http.request", "body": body, "more_body": not self.body_read}

    async def read_chunk(self):
        size = int((await self.reader.readline()).split(b";")[0], 16)
        body = await self.reader.readexactly(size)
        await self.reader.readline()
        self.body_read = size == 0
        return body

    async def send(self, event):
        if event["type"] == "http.response.start":
            self.start = event
            return
        if event["type"] != "http.response.body" or self.answered:
            return
        body, more = event.get("body", b""), event.get("more_body", False)
        if not self.head_sent:
            self.send_head(len(body), more)
        if self.method != "HEAD" and self.start["status"] not in (204, 304):
            if self.answer_chunked and body:
                body = b"%x\r\n%b\r\n" % (len(body), body)
            self.writer.write(body + (b"0\r\n\r\n" if self.answer_chunked and not more else b""))
        self.answered = not more
        await self.writer.drain()

    def send_head(self, length, more):
        self.head_sent = True
        headers = [(bytes(name), bytes(value)) for name, value in self.start.get("headers", [])]
        names = {name.lower() for name, _ in headers}
        if self.start["status"] not in (204, 304) and b"content-length" not in names:
            self.answer_chunked = more and b"transfer-encoding" not in names
            if more:
                headers.append((b"transfer-encoding", b"chunked"))
            else:
                headers.append((b"content-length", b"%d" % length))
        if not self.keeps:
            headers.append((b"connection", b"close"))
        lines = [b"HTTP/1.1 %d -" % self.start["status"], *(name + b": " + value for name, value in headers)]
        self.writer.write(b"\r\n".join(lines) + b"\r\n\r\n")

    async def deliver_message(self, application):
        """What the node posts for the program's message triggers is the event `aleph.message`."""
        body = b""
        while not self.body_read:
            body += (await self.receive())["body"]
        message = {"type": "aleph.message", "body": body.decode()}

        async def receive():
            return {**message, "more_body": False}

        async def ignore(result):
            pass

        await application(message, receive, ignore)
        self.start = {"status": 204, "headers": []}
        await self.send({"type": "http.response.body", "body": b""})

    async def finish(self, application):
        try:
            if (b"aleph-event", b"message") in self.headers:
                await self.deliver_message(application)
            else:
                await application(self.scope(), self.receive, self.send)
        except Exception:
            traceback.print_exc()
            if self.head_sent:
                raise ConnectionResetError from None
            self.start = {"status": 500, "headers": [(b"content-type", b"text/plain")]}
            await self.send({"type": "http.response.body", "body": b"Internal Server Error"})
        # What is left of a request's body cannot be told from the next request.
        return self.keeps and self.answered and self.body_read


async def serve(application):
    async def on_connection(reader, writer):
        try:
            while True:
                head = await reader.readuntil(b"\r\n\r\n")
                if not await Call(reader, writer, head).finish(application):
                    break
        except (asyncio.IncompleteReadError, asyncio.LimitOverrunError, ConnectionError, ValueError):
            pass
        finally:
            writer.close()

    await Lifespan(application).start()
    server = await asyncio.start_server(on_connection, "127.0.0.1", 8080, limit=MAX_HEAD)
    await server.serve_forever()


def main():
    # Nothing here renews random state: clones of one snapshot are told apart by the kernel alone.
    os.environ.pop("ALEPH_RENEW_FD", None)
    sys.path[0:0] = [path for path in ("/opt/packages", "/code", "/opt") if os.path.isdir(path)]
    try:
        application = load(sys.argv[1])
    except Exception:
        traceback.print_exc()
        sys.exit(1)
    asyncio.run(serve(application))


main()
