"""The first program in a sandbox whose commands may reach some hosts.

It opens ports on the sandbox's own loopback, hands the listening sockets to codeflow's proxy, which is outside, and
becomes the command. So nothing runs in between, and the network of the sandbox stays what it is: none.

    loopback.py CHANNEL PORTS PROGRAM [ARGUMENT …]

CHANNEL is a unix socket that takes the sockets: first that of the proxy, then one for each of PORTS, numbers with commas
between them. It is a script without any package, since the command waits for it.
"""

import os
import signal
import socket
import sys

_NOT_STARTED = 127


def main(arguments: list[str]) -> None:
    """Become the command, with a proxy in its environment."""
    channel, ports, *command = arguments
    listening = [_listen(int(port)) for port in ("0", *filter(None, ports.split(",")))]
    with socket.socket(fileno=int(channel)) as codeflow:
        socket.send_fds(codeflow, [b"+"], [one.fileno() for one in listening])
    os.environ.update(_environment(listening[0].getsockname()[1]))
    for number in (signal.SIGPIPE, signal.SIGXFSZ):  # which Python ignores, and its children would
        signal.signal(number, signal.SIG_DFL)
    try:
        os.execvp(command[0], command)  # noqa: S606 - the command is what this is for
    except OSError as error:
        sys.stderr.write(f"{command[0]}: {error.strerror}\n")
    sys.exit(_NOT_STARTED)


def _listen(port: int) -> socket.socket:
    listener = socket.socket()
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    listener.bind(("127.0.0.1", port))
    listener.listen()
    return listener


def _environment(port: int) -> dict[str, str]:
    proxy = f"http://127.0.0.1:{port}"
    here = "localhost,127.0.0.1,::1"
    names = {"http_proxy": proxy, "https_proxy": proxy, "all_proxy": proxy, "no_proxy": here}
    return names | {name.upper(): value for name, value in names.items()} | {"NODE_USE_ENV_PROXY": "1"}


if __name__ == "__main__":
    main(sys.argv[1:])
