"""`drivetrain` as the pages say it, in a process of its own for each command, forked from one that has imported all.

python warm.py serve SOCKET         serves until its standard input ends
python -IS warm.py SOCKET WORD...   one command: its folder, environment, files and exit code are this one's
"""

import json
import os
import socket
import sys
from contextlib import suppress


def serve(path):
    """Every module is imported; each asker is given a process."""
    from importlib import import_module
    from pkgutil import walk_packages
    from select import select

    import drivetrain
    from drivetrain.__main__ import main

    for module in walk_packages(drivetrain.__path__, "drivetrain."):
        if not module.name.endswith("__main__") and not module.name.startswith("drivetrain.testing"):
            import_module(module.name)
    door = socket.socket(socket.AF_UNIX)
    door.bind(path)
    door.listen()
    print("ready", flush=True)
    while sys.stdin not in select([door, sys.stdin], [], [])[0]:
        asker, _ = door.accept()
        if not os.fork():
            door.close()
            answer(asker, main)
        asker.close()
        with suppress(ChildProcessError):
            os.waitpid(-1, os.WNOHANG)


def answer(asker, main):
    """The process that runs the command goes through ``main`` as any other; this one waits and tells how it ended."""
    said, files, _, _ = socket.recv_fds(asker, 1 << 20, 3)
    words, folder, environment = json.loads(said)
    child = os.fork()
    if child:
        asker.sendall(str(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])).encode())
        os._exit(0)
    asker.close()
    for number, file in enumerate(files):
        os.dup2(file, number)
        os.close(file)
    os.chdir(folder)
    os.environ.clear()
    os.environ.update(environment)
    sys.argv = ["drivetrain", *words]
    try:
        main()
    except SystemExit as end:
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(end.code or 0)  # the end of libraries that had threads before the fork would wait for these


def ask(path, words):
    with socket.socket(socket.AF_UNIX) as line:
        line.connect(path)
        said = json.dumps([words, os.getcwd(), dict(os.environ)]).encode()  # noqa: PTH109 - pathlib would double the time
        socket.send_fds(line, [said], [0, 1, 2])
        return int(line.recv(16))


if __name__ == "__main__":
    sys.exit(serve(sys.argv[2]) if sys.argv[1] == "serve" else ask(sys.argv[1], sys.argv[2:]))
