# SPDX-License-Identifier: Apache-2.0
"""Targets that ask who scrapes them: over HTTPS with a certificate of the client, by basic auth, by a token from a file, and by a
token of OAuth 2.0 (client credentials) that this script gives out and takes back. Prints its port, then one line for each token.

Usage: guarded_target.py FOLDER, where a certificate `own.pem` with `own.key` lies that the client shows, too.
"""
import base64
import http.server
import json
import pathlib
import ssl
import sys
import urllib.parse

folder = pathlib.Path(sys.argv[1])
tokens = []


class Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def log_message(self, *_):
        pass

    def answer(self, status, body, **fields):
        data = body.encode()
        self.send_response(status)
        for name, value in fields.items():
            self.send_header(name.replace("_", "-"), value)
        self.send_header("Content-Length", str(len(data)))
        self.end_headers()
        self.wfile.write(data)

    def client(self):
        """As RFC 6749, section 2.3.1, has it: each part encoded as in a form."""
        pair = base64.b64decode((self.headers["Authorization"] or "").removeprefix("Basic ")).decode()
        return tuple(urllib.parse.unquote_plus(part) for part in pair.split(":"))

    def do_POST(self):
        form = urllib.parse.parse_qs(self.rfile.read(int(self.headers["Content-Length"])).decode())
        wanted = {"grant_type": ["client_credentials"], "scope": ["read watch"], "audience": ["shops"]}
        if self.client() != ("scraper", "s:e cret"):
            return self.answer(401, json.dumps({"error": "invalid_client"}), Content_Type="application/json")
        if form != wanted:
            return self.answer(400, json.dumps({"error": "invalid_request"}), Content_Type="application/json")
        tokens.append("token-%d" % len(tokens))
        print("gave", self.headers["User-Agent"].split("/")[0], flush=True)
        self.answer(200, json.dumps({"access_token": tokens[-1], "token_type": "bearer", "expires_in": 3600}),
                    Content_Type="application/json")

    def do_GET(self):
        shown = self.headers["Authorization"] or ""
        allowed = {
            "/oauth": shown.removeprefix("Bearer ") in tokens,
            "/basic": shown == "Basic " + base64.b64encode(b"scraper:s:e cret").decode(),
            "/file": shown == "Bearer " + (folder / "wanted").read_text().strip(),
            "/moved": True,
        }
        if self.path == "/revoke":
            tokens.clear()
            return self.answer(200, "")
        if not allowed.get(self.path):
            return self.answer(401, "")
        if self.path == "/moved":
            return self.answer(302, "", Location="/basic")
        self.answer(200, "guarded 1\n", Content_Type="text/plain")


server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
context.load_cert_chain(folder / "own.pem", folder / "own.key")
context.load_verify_locations(folder / "own.pem")
context.verify_mode = ssl.CERT_REQUIRED
server.socket = context.wrap_socket(server.socket, server_side=True)
print(server.server_address[1], flush=True)
server.serve_forever()
