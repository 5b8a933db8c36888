# SPDX-License-Identifier: Apache-2.0
"""What tokens cost: client credentials, introspection and verified calls a second, on a shop with durable storage, beside
the rate at which this machine signs with ES256 at all.

    python3 Benchmarks/oauth.py [--seconds N] [--output FILE]

wrk drives the shop over 64 connections on the same cores.
"""
import argparse
import json
import pathlib
import re
import subprocess
import tempfile
import time
import urllib.error
import urllib.parse
import urllib.request

from servers import start_postgres

ROOT = pathlib.Path(__file__).resolve().parent.parent
VITRINE = ROOT / ".build/release/vitrine"


class Shop:
    def __init__(self, *storage):
        # Two processes are one shop, whose tokens name it.
        environment = {"VITRINE_LIMITS": "off", "PATH": "/usr/bin:/bin", "VITRINE_OBSERVATORY": "off",
                       "VITRINE_PUBLIC_URL": "http://shop.example"}
        self.process = subprocess.Popen(
            [VITRINE, "serve", *storage, "--port", "0"], stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
            text=True, env=environment)
        text = ""
        while "listens on" not in text:
            line = self.process.stdout.readline()
            if not line:
                raise SystemExit(f"The shop did not begin: {text}")
            text += line
        self.base = re.search(r"listens on (http://\S+)", text).group(1)
        self.key = (re.search(r"vk_[\w-]+", text) or [None])[0]

    def cpu(self):
        fields = pathlib.Path(f"/proc/{self.process.pid}/stat").read_text().rsplit(")", 1)[1].split()
        return (int(fields[11]) + int(fields[12])) / 100

    def memory(self):
        status = pathlib.Path(f"/proc/{self.process.pid}/status").read_text()
        return int(re.search(r"VmRSS:\s+(\d+)", status).group(1)) / 1024


def load(shop, path, script, seconds):
    """Answers a second, CPU milliseconds an answer, and the percentiles of wrk."""
    with tempfile.NamedTemporaryFile("w", suffix=".lua") as file:
        file.write(script)
        file.flush()
        before, began = shop.cpu(), time.time()
        out = subprocess.run(
            ["wrk", "-t2", "-c64", f"-d{seconds}s", "--latency", "-s", file.name, shop.base + path],
            capture_output=True, text=True).stdout
        took, used = time.time() - began, shop.cpu() - before
    count = int(re.search(r"(\d+) requests in", out).group(1))
    failed = re.search(r"Non-2xx or 3xx responses: (\d+)", out)
    p = dict(re.findall(r"(50|99)%\s+(\S+)", out))
    return {"per_second": round(count / took), "cpu_us": round(used * 1e6 / count, 1), "p50": p.get("50"), "p99": p.get("99"),
            "refused": int(failed.group(1)) if failed else 0}


def post(address, body, headers):
    request = urllib.request.Request(address, body.encode(), headers)
    return json.load(urllib.request.urlopen(request))


def status(address, method="GET", bearer=None, body=None):
    headers = {"Authorization": f"Bearer {bearer}", "If-Match": "*"} if bearer else {}
    try:
        return urllib.request.urlopen(urllib.request.Request(address, body, headers, method=method)).status
    except urllib.error.HTTPError as error:
        return error.code


def ended_elsewhere(rounds=15):
    """Milliseconds from the answer of one process, that something has ended, until another on the same Postgres refuses it."""
    took = {"app_removed": [], "token_revoked": [], "key_revoked": []}
    with tempfile.TemporaryDirectory() as folder:
        postgres, server = start_postgres(pathlib.Path(folder), ["shop"])
        processes = [postgres]
        try:
            here = Shop("--database", server["url"])
            processes.append(here.process)
            there = Shop("--database", server["url"])
            processes.append(there.process)

            def made(path, fields):
                return post(here.base + path, json.dumps(fields), {
                    "Authorization": f"Bearer {here.key}", "Content-Type": "application/json"})
            for _ in range(rounds):
                for what, times in took.items():
                    app = made("/v1/apps", {"name": "a", "own_scopes": ["read:products"], "tier": "trusted"})
                    client = {"client_id": app["id"], "client_secret": app["client_secret"]}
                    grant = urllib.parse.urlencode(client | {"grant_type": "client_credentials"})
                    bearer = post(f"{here.base}/oauth/token", grant, {})["access_token"]
                    if what == "key_revoked":
                        key = made("/v1/keys", {"name": "k", "scopes": ["read:products"], "tier": "trusted"})
                        bearer = key["secret"]
                    asked = f"{there.base}/v1/products?limit=1"
                    assert status(asked, bearer=bearer) == 200
                    if what == "token_revoked":
                        form = urllib.parse.urlencode(client | {"token": bearer}).encode()
                        assert status(f"{here.base}/oauth/revoke", "POST", body=form) == 200
                    else:
                        path = f"/v1/apps/{app['id']}" if what == "app_removed" else f"/v1/keys/{key['id']}"
                        assert status(here.base + path, "DELETE", here.key) == 204
                    began = time.time()
                    while status(asked, bearer=bearer) == 200:
                        if time.time() - began > 30:
                            raise SystemExit(f"{what}: the other process goes on taking it.")
                    times.append((time.time() - began) * 1e3)
        finally:
            for process in reversed(processes):
                process.terminate()
                process.wait()
    return {what: {"median_ms": round(sorted(times)[len(times) // 2]), "longest_ms": round(max(times))}
            for what, times in took.items()}


def form(fields):
    body = "&".join(f"{name}={value}" for name, value in fields.items())
    return ('wrk.method="POST"\nwrk.headers["Content-Type"]="application/x-www-form-urlencoded"\n'
            f'wrk.body="{body}"\n')


def signing():
    """ES256 signatures a second on one core, by OpenSSL."""
    out = subprocess.run(["openssl", "speed", "-seconds", "2", "ecdsap256"], capture_output=True, text=True).stdout
    return float(out.strip().splitlines()[-1].split()[-2])


def main():
    arguments = argparse.ArgumentParser()
    arguments.add_argument("--seconds", type=int, default=8)
    arguments.add_argument("--output")
    options = arguments.parse_args()
    figures = {"openssl_es256_sign_per_second_one_core": signing()}
    with tempfile.TemporaryDirectory() as folder:
        shop = Shop("--data", folder)
        try:
            body = {"name": "bench", "own_scopes": ["read:products"], "tier": "trusted"}
            app = post(f"{shop.base}/v1/apps", json.dumps(body), {
                "Authorization": f"Bearer {shop.key}", "Content-Type": "application/json"})
            client = {"client_id": app["id"], "client_secret": app["client_secret"]}
            grant = client | {"grant_type": "client_credentials"}
            token = post(f"{shop.base}/oauth/token", urllib.parse.urlencode(grant), {})["access_token"]
            load(shop, "/oauth/token", form(grant), 2)
            figures["client_credentials"] = load(shop, "/oauth/token", form(grant), options.seconds)
            figures["introspection"] = load(
                shop, "/oauth/introspect", form(client | {"token": token}), options.seconds)
            for name, bearer in [("call_with_token", token), ("call_with_key", shop.key)]:
                # Not kept ready: /v1/me is made each time, and needs nothing but who asks.
                figures[name] = load(
                    shop, "/v1/me", f'wrk.headers["Authorization"]="Bearer {bearer}"\n', options.seconds)
            figures["resident_mib"] = round(shop.memory(), 1)
        finally:
            shop.process.terminate()
            shop.process.wait()
    figures["ended_in_another_process"] = ended_elsewhere()
    print(json.dumps(figures, indent=2))
    if options.output:
        pathlib.Path(options.output).write_text(json.dumps(figures, indent=2) + "\n")


main()
