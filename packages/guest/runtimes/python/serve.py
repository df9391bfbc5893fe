"""Starts an ASGI application in the guest: `module:attribute`, `main:app` when no attribute is named."""

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
    `secrets`, `uuid` and `os.urandom` ask the kernel each time; `random` and `ssl` keep a state of their own.
    """

    def __init__(self):
        self.generation = None
        path = os.environ.pop("ALEPH_GENERATION", None)
        if path is not None:
            with open(path, "rb") as file:
                self.generation = mmap.mmap(file.fileno(), 4, prot=mmap.PROT_READ)
        self.renew()

    def renew(self):
        self.renewed_in = self.generation and self.generation[:]
        random.seed()
        if "ssl" in sys.modules:
            sys.modules["ssl"].RAND_add(os.urandom(64), 64.0)

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


def tell_ready():
    """Tells the agent that this process is ready for a snapshot, and looks at the generation itself."""
    fd = int(os.environ.pop("ALEPH_RENEW_FD", "-1"))
    if fd < 3:
        return
    os.write(fd, b"g")
    os.close(fd)


def receive_program():
    """Waits for the program, when the agent started this process before there was one.

    What every application needs is imported meanwhile, to be part of the snapshot that later starts begin from.
    """
    fd = int(os.environ.get("ALEPH_PROGRAM_FD", "-1"))
    if fd < 3:
        return
    import uvicorn.config  # noqa: F401
    import uvicorn.lifespan.on  # noqa: F401
    import uvicorn.protocols.http.h11_impl  # noqa: F401
    import uvicorn.protocols.websockets.websockets_impl  # noqa: F401

    tell_ready()
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


def main():
    randomness = Randomness()
    receive_program()
    tell_ready()
    randomness.renew_in_clone()
    sys.path.insert(0, "/code")
    # Where programs of the network mount what they need beside their own code.
    if os.path.isdir("/opt/packages"):
        sys.path.insert(0, "/opt/packages")
    try:
        application = load(sys.argv[1] if len(sys.argv) > 1 else "main:app")
    except Exception:
        traceback.print_exc()
        sys.exit(1)
    import uvicorn

    config = uvicorn.Config(
        application,
        host=os.environ.get("HOST", "127.0.0.1"),
        port=int(os.environ.get("PORT", "8080")),
        loop="asyncio",
        http="h11",
        log_level="warning",
        access_log=False,
        proxy_headers=False,
        timeout_keep_alive=2_000_000,
    )
    config.load()
    config.loaded_app = randomness.before_each_call(with_messages(config.loaded_app))
    server = uvicorn.Server(config)
    server.run()
    if not server.started:
        sys.exit(1)


main()
