"""Posts one body again and again from a process of its own, over bare sockets that are kept open.

`python -m bench._poster PORT PATH CLIENTS REQUESTS EVERY_S`, the body on stdin. Each client posts at most once in
EVERY_S seconds. Prints how many answers were not 200.
"""

import asyncio
import sys


async def _post(port: int, request: bytes, count: int, every_s: float) -> int:
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    loop = asyncio.get_running_loop()
    refused, due = 0, loop.time()
    for _ in range(count):
        due += every_s
        writer.write(request)
        head = await reader.readuntil(b"\r\n\r\n")
        await reader.readexactly(int(head.lower().partition(b"content-length: ")[2].partition(b"\r\n")[0]))
        refused += b" 200 " not in head.partition(b"\r\n")[0]
        await asyncio.sleep(due - loop.time())
    writer.close()
    return refused


async def _main(port: int, path: str, clients: int, requests: int, every_s: float) -> None:
    body = sys.stdin.buffer.read()
    head = (
        f"POST {path} HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\nContent-Length: {len(body)}\r\n"
    )
    request = head.encode() + b"\r\n" + body
    each = requests // clients
    refused = await asyncio.gather(*(_post(port, request, each, every_s) for _ in range(clients)))
    print(sum(refused))


if __name__ == "__main__":
    asyncio.run(_main(int(sys.argv[1]), sys.argv[2], int(sys.argv[3]), int(sys.argv[4]), float(sys.argv[5])))
