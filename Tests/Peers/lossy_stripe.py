# SPDX-License-Identifier: Apache-2.0
"""localstripe without its file, and with a network that loses answers on request.

Says on which port it listens.

POST /_config/loss {"match": "/confirm", "count": 1} does what the next `count` requests ask whose path contains `match`,
and closes the connection instead of answering; with "early": true it does not do it first. {"share": 0.1} loses that share
of all answers; {"latency": 12} holds every request back for so many seconds before it is done; {"busy": 1} refuses what
contains `match` with 429 until one second after the first of it, and says so in Retry-After. Ends when its input does.
"""
import asyncio
import os
import random
import socket
import sys
import threading
import time

from aiohttp import web
from localstripe import resources, server

resources.Store.dump_to_disk = lambda self: None
loss = {"match": "", "count": 0, "early": False, "share": 0.0, "latency": 0, "busy": 0}


async def lose(request):
    loss.update(await request.json())
    return web.Response()


@web.middleware
async def lossy(request, handler):
    if request.path.startswith("/_config/"):
        return await handler(request)
    if loss["latency"]:
        await asyncio.sleep(loss["latency"])
    if loss["busy"] and loss["match"] in request.path:
        free = loss.setdefault("free", time.monotonic() + loss["busy"])
        if time.monotonic() < free:
            headers = {"Retry-After": str(loss["busy"])}
            return web.json_response({"error": {"message": "too many"}}, status=429, headers=headers)
    chosen = loss["count"] > 0 and loss["match"] in request.path
    if chosen:
        loss["count"] -= 1
    response = web.Response() if chosen and loss["early"] else await handler(request)
    if chosen or random.random() < loss["share"]:
        request.transport.abort()
    return response


server.app.router.add_post("/_config/loss", lose)
server.app.middlewares.insert(0, lossy)


def end_with_input():
    sys.stdin.read()
    os._exit(0)


threading.Thread(target=end_with_input, daemon=True).start()
listener = socket.create_server(("127.0.0.1", 0))
print(listener.getsockname()[1], flush=True)
web.run_app(server.app, sock=listener, access_log=None, print=None)
