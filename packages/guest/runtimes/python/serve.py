"""Starts an ASGI application in the guest: `module:attribute`, `main:app` when no attribute is named."""

import importlib
import os
import random
import sys
import threading
import time
import traceback


def offer_renewal():
    """Renews what clones of one snapshot would otherwise share, whenever the agent asks for it.

    Returns the function that tells the agent so; calls after the first do nothing.
    """
    fd = int(os.environ.pop("ALEPH_RENEW_FD", "-1"))
    os.environ.pop("ALEPH_GENERATION", None)
    registered = threading.Event()

    def answer():
        # `secrets`, `uuid` and `os.urandom` ask the kernel each time; these two keep a state of their own.
        while os.read(fd, 16):
            random.seed()
            if "ssl" in sys.modules:
                sys.modules["ssl"].RAND_add(os.urandom(64), 64.0)
            os.write(fd, b"d")

    def register():
        if fd < 3 or registered.is_set():
            return
        registered.set()
        threading.Thread(target=answer, daemon=True).start()
        os.write(fd, b"h")

    return register


def receive_program(register):
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

    register()
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
    register = offer_renewal()
    receive_program(register)
    register()
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

    uvicorn.run(
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


main()
