"""A limit: granian (RSGI) answering a constant."""

ANSWER = b'{"release":"release/bench@0123456789ab","predictions":[{"id":"0","score":0.5,"decision":false}]}'
HEADERS = [("content-type", "application/json")]


async def app(scope: object, transport: object) -> None:
    await transport()
    transport.response_bytes(200, HEADERS, ANSWER)
