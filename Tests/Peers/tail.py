# SPDX-License-Identifier: Apache-2.0
"""Tails the logs of an observatory over a WebSocket, with a client of other people's making.

tail.py ADDRESS COUNT [HEADER=VALUE ...]   prints a line of JSON for each record until there are COUNT, or the status that refused it
"""
import json
import sys

from websockets.exceptions import InvalidStatus
from websockets.sync.client import connect

headers = dict(argument.split("=", 1) for argument in sys.argv[3:])
try:
    with connect(sys.argv[1], additional_headers=headers, open_timeout=20) as socket:
        print("open", flush=True)
        seen = 0
        while seen < int(sys.argv[2]):
            message = json.loads(socket.recv(timeout=30))
            for stream in message["streams"]:
                for value in stream["values"]:
                    print(json.dumps([stream["stream"], *value[1:]]), flush=True)
                    seen += 1
except InvalidStatus as refusal:
    print("refused", refusal.response.status_code, flush=True)
