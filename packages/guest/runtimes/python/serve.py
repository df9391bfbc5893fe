"""Starts an ASGI application in the guest: `module:attribute`, `main:app` when no attribute is named."""

import importlib
import os
import random
import sys
import threading
import traceback


def offer_renewal():
    """Renews what clones of one snapshot would otherwise share, when the agent asks for it."""
    fd = int(os.environ.pop("ALEPH_RENEW_FD", "-1"))
    if fd < 3:
        return

    def answer():
        # `secrets`, `uuid` and `os.urandom` ask the kernel each time; these two keep a state of their own.
        while os.read(fd, 16):
            random.seed()
            if "ssl" in sys.modules:
                sys.modules["ssl"].RAND_add(os.urandom(64), 64.0)
            os.write(fd, b"d")

    os.write(fd, b"h")
    threading.Thread(target=answer, daemon=True).start()


def load(entrypoint):
    name, _, attribute = entrypoint.partition(":")
    name = name.removesuffix(".py").replace("/", ".") or "main"
    application = importlib.import_module(name)
    for part in (attribute or "app").split("."):
        application = getattr(application, part)
    return application


def main():
    sys.path.insert(0, "/code")
    # Where programs of the network mount what they need beside their own code.
    if os.path.isdir("/opt/packages"):
        sys.path.insert(0, "/opt/packages")
    offer_renewal()
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
