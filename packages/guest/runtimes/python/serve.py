"""Starts an ASGI application in the guest: `module:attribute`, `main:app` when no attribute is named."""

import asyncio
import ctypes
import importlib
import mmap
import os
import random
import sys
import time
import traceback


class Randomness:
    """What Python keeps of random states is made anew in each clone of a snapshot, before its first request.

    The agent's counter (ALEPH_GENERATION) is another one in each; without a counter every request may be a clone's.
    `secrets`, `uuid`, `os.urandom` and, with our library, `ssl` ask the kernel each time; `random` keeps a state.
    """

    def __init__(self):
        self.openssl = ctypes.CDLL("/aleph/kernel-randomness.so")
        self.generation = None
        path = os.environ.pop("ALEPH_GENERATION", None)
        if path is not None:
            with open(path, "rb") as file:
                self.generation = mmap.mmap(file.fileno(), 4, prot=mmap.PROT_READ)
        self.renew()

    def renew(self):
        self.renewed_in = self.generation and self.generation[:]
        random.seed()

    def renew_in_clone(self):
        if self.generation is None or self.generation[:] != self.renewed_in:
            self.renew()

    def before_each_call(self, application):
        async def renewing(scope, receive, send):
            self.renew_in_clone()
            await application(scope, receive, send)

        return renewing


def with_messages(application):
    """What the node posts for the program's message triggers is the event `aleph.message` of ASGI on Aleph."""

    async def serving(scope, receive, send):
        if scope["type"] != "http" or (b"aleph-event", b"message") not in scope["headers"]:
            await application(scope, receive, send)
            return
        body, more = b"", True
        while more:
            part = await receive()
            body += part.get("body", b"")
            more = part.get("more_body", False)
        message = {"type": "aleph.message", "body": body.decode()}

        async def receive_message():
            return {**message, "more_body": False}

        async def ignore(result):
            pass

        await application(message, receive_message, ignore)
        await send({"type": "http.response.start", "status": 204, "headers": []})
        await send({"type": "http.response.body", "body": b""})

    return serving


class Agent:
    """The agent's end of this process: told when it is ready for a snapshot, it may ask for a rehearsal then."""

    def __init__(self):
        self.fd = int(os.environ.pop("ALEPH_RENEW_FD", "-1"))
        self.told = False
        self.rehearsal = None
        if self.fd >= 3:
            os.set_inheritable(self.fd, False)

    def tell_ready(self):
        """This process looks at the generation itself."""
        if self.fd >= 3 and not self.told:
            os.write(self.fd, b"g")
        self.told = True

    def rehearse_when_asked(self):
        if self.fd >= 3:
            asyncio.get_running_loop().add_reader(self.fd, self.on_wish)

    def on_wish(self):
        if os.read(self.fd, 16) == b"":
            asyncio.get_running_loop().remove_reader(self.fd)
        else:
            self.answering = asyncio.create_task(self.answer())

    async def answer(self):
        try:
            await self.rehearse()
        finally:
            os.write(self.fd, b"d")

    async def rehearse(self):
        """Once more, on the loop that the program's requests will come to."""
        if self.rehearsal is not None:
            await self.rehearsal.run(1)


def receive_program(agent, randomness):
    """Waits for the program, when the agent started this process before there was one.

    What every application needs is imported meanwhile, and rehearsed, to be part of the snapshot that later starts
    begin from.
    """
    fd = int(os.environ.get("ALEPH_PROGRAM_FD", "-1"))
    if fd < 3:
        return
    import uvicorn.lifespan.on  # noqa: F401
    import uvicorn.protocols.websockets.websockets_impl  # noqa: F401
    from aleph_runtime import rehearsal

    agent.rehearsal = rehearsal.Rehearsal(make_server(rehearsal.application, randomness))
    asyncio.run(agent.rehearsal.run(rehearsal.ROUNDS))
    agent.tell_ready()
    with os.fdopen(fd, "rb") as handover:
        folder, count, *rest = os.fsdecode(handover.read()).split("\0")[:-1]
    os.environ.clear()
    os.environ.update(variable.split("=", 1) for variable in rest[int(count) :])
    os.environ.pop("ALEPH_RENEW_FD", None)
    os.environ.pop("ALEPH_GENERATION", None)
    sys.argv[1:] = rest[: int(count)]
    os.chdir(folder)
    time.tzset()
    importlib.invalidate_caches()


def load(entrypoint):
    name, _, attribute = entrypoint.partition(":")
    name = name.removesuffix(".py").replace("/", ".") or "main"
    application = importlib.import_module(name)
    # Without an attribute: `app`, or what is called as its file.
    usual = "app" if hasattr(application, "app") else name.rpartition(".")[2]
    for part in (attribute or usual).split("."):
        application = getattr(application, part)
    return application


def make_server(application, randomness):
    from aleph_runtime.server import Server, make_config

    config = make_config(application)
    config.load()
    config.loaded_app = randomness.before_each_call(with_messages(config.loaded_app))
    return Server(config)


async def serve(server, agent, agent_socket):
    from aleph_runtime.server import listening_sockets

    agent.rehearse_when_asked()
    await agent.rehearse()
    await server.serve(listening_sockets(server.config, agent_socket))


def main():
    randomness = Randomness()
    agent = Agent()
    receive_program(agent, randomness)
    agent.tell_ready()
    randomness.renew_in_clone()
    # Processes that the program starts shall not listen there.
    agent_socket = os.environ.pop("ALEPH_SOCKET", None)
    sys.path.insert(0, "/code")
    # Where programs of the network mount what they need beside their own code.
    if os.path.isdir("/opt/packages"):
        sys.path.insert(0, "/opt/packages")
    try:
        application = load(sys.argv[1] if len(sys.argv) > 1 else "main:app")
    except Exception:
        traceback.print_exc()
        sys.exit(1)
    server = make_server(application, randomness)
    asyncio.run(serve(server, agent, agent_socket))
    if not server.started:
        sys.exit(1)


main()
