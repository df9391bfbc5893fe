"""Runs through what serving a request takes before there is one, so that the first one finds it done."""

import asyncio
import functools

from .agent_socket import AgentSocket

# Python specializes its byte code to the types it meets: not at once, but after some thirty calls.
ROUNDS = 40
PLACE = "@aleph/rehearsal"

HEADERS = "\r\n".join(
    [
        "host: localhost",
        "accept: */*",
        "accept-encoding: gzip",
        "user-agent: rehearsal",
        "x-forwarded-for: 127.0.0.1",
        "x-forwarded-proto: http",
        "connection: keep-alive",
    ]
)
REQUESTS = [
    f"GET /rehearsal?query=1 HTTP/1.1\r\n{HEADERS}\r\n\r\n".encode(),
    f"POST /rehearsal HTTP/1.1\r\n{HEADERS}\r\ncontent-length: 2\r\n\r\n{{}}".encode(),
]
ANSWER = b"as asked"


async def application(scope, receive, send):
    """What most applications do."""
    if scope["type"] != "http":
        return
    if scope["method"] == "POST":
        await receive()
    length = str(len(ANSWER)).encode()
    await send({"type": "http.response.start", "status": 200, "headers": [(b"content-length", length)]})
    await send({"type": "http.response.body", "body": ANSWER})


class Rehearsal:
    """Sends requests through a server of the same make as the program's, which is made once."""

    def __init__(self, server):
        self.server = server

    async def run(self, rounds):
        loop = asyncio.get_running_loop()
        config, state = self.server.config, self.server.server_state
        protocol = functools.partial(config.http_protocol_class, config=config, server_state=state)
        listener = await loop.create_server(protocol, sock=AgentSocket(PLACE))
        reader, writer = await asyncio.open_unix_connection(PLACE.replace("@", "\0"))
        for _ in range(rounds):
            for request in REQUESTS:
                writer.write(request)
                await reader.readuntil(ANSWER)
        writer.close()
        await writer.wait_closed()
        listener.close()
        await listener.wait_closed()
