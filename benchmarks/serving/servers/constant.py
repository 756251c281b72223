"""The limit: Drivetrain's own HTTP server answering a constant."""

import asyncio
import socket
import sys

import uvloop

from drivetrain.connect.http.listener import Listener
from drivetrain.connect.http.messages import Answer, Exchange
from drivetrain.serve.settings import ConnectionLimits

BODY = b'{"release":"release/bench@0123456789ab","predictions":[{"id":"0","score":0.5,"decision":false}]}'
ANSWER = Answer(200, (("content-type", "application/json"),), BODY)


class Constant:
    """Answers whatever is asked."""

    def open(self, exchange: Exchange) -> None:
        """Nothing is refused."""

    def handle(self, exchange: Exchange) -> None:
        exchange.answer(ANSWER)

    def refuse(self, status: int, reason: str) -> Answer:
        return Answer(status, (("content-type", "text/plain"),), reason.encode())


async def serve(port: int) -> None:
    listener = Listener(Constant(), ConnectionLimits())
    await listener.listen(socket.create_server(("127.0.0.1", port)), None)
    await asyncio.Event().wait()  # until it is ended


uvloop.run(serve(int(sys.argv[1])))
