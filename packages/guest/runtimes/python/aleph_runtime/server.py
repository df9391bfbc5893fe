"""Uvicorn as programs are served with it."""

import asyncio
import gc
import os

import uvicorn

from .agent_socket import AgentSocket


def make_config(application):
    return uvicorn.Config(
        application,
        host=os.environ.get("HOST", "127.0.0.1"),
        port=int(os.environ.get("PORT", "8080")),
        loop="asyncio",
        http="httptools",
        log_level="warning",
        access_log=False,
        proxy_headers=False,
        # The node in front says both.
        date_header=False,
        server_header=False,
        timeout_keep_alive=2_000_000,
    )


class Server(uvicorn.Server):
    """Does nothing while nobody calls: Uvicorn's own wakes up ten times a second, for a date that we do not need."""

    def __init__(self, config):
        super().__init__(config)
        self.ended = asyncio.Event()

    async def main_loop(self):
        await self.ended.wait()

    def handle_exit(self, sig, frame):
        super().handle_exit(sig, frame)
        self.ended.set()

    async def startup(self, sockets=None):
        await super().startup(sockets)
        # What is there now stays: the collector need not look at it, nor a clone copy the pages it would mark.
        gc.collect()
        gc.freeze()


def listening_sockets(config, agent_socket):
    """The port, and before it where the agent connects, which looks for that once it sees the port."""
    port = config.bind_socket()
    port.set_inheritable(False)
    return [AgentSocket(agent_socket), port] if agent_socket else [port]
