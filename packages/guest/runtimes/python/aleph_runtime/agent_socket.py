"""Where the agent connects to a server, besides its port: a unix socket, which costs a fraction of what TCP does."""

import itertools
import os
import socket

# As the system gives them to connections of TCP.
ports = itertools.cycle(range(32768, 61000))


class AgentConnection(socket.socket):
    """Tells applications that it comes from this machine, as a connection to the port does."""

    def __init__(self, descriptor):
        super().__init__(socket.AF_UNIX, socket.SOCK_STREAM, fileno=descriptor)
        self.names = ("127.0.0.1", next(ports)), ("127.0.0.1", int(os.environ.get("PORT", "8080")))

    def getpeername(self):
        return self.names[0]

    def getsockname(self):
        return self.names[1]


class AgentSocket(socket.socket):
    """A listening socket of that name; with `@` in front it is in no file system."""

    def __init__(self, name):
        super().__init__(socket.AF_UNIX, socket.SOCK_STREAM)
        self.bind("\0" + name[1:] if name.startswith("@") else name)

    def accept(self):
        accepted, _ = super().accept()
        connection = AgentConnection(accepted.detach())
        return connection, connection.getpeername()
