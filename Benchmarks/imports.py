# SPDX-License-Identifier: Apache-2.0
"""How long a shop takes to import a catalogue, and what it holds then. See Benchmarks/README.md.

Each product has a title with a number of its own, a description of twenty words, a category, two attributes and two prices.
"""
import argparse
import json
import os
import pathlib
import random
import re
import shutil
import subprocess
import tempfile
import threading
import time
import urllib.request

from servers import cpu, free_port, peak

root = pathlib.Path(__file__).resolve().parent.parent
options = argparse.ArgumentParser()
options.add_argument("--products", type=int, default=100_000)
options.add_argument("--program", default=str(root / ".build/release/vitrine"))
options = options.parse_args()
WORDS = ("linen cotton brass oak walnut copper honey olive slate sand mug towel lamp chair bowl basket candle vase brush kettle "
         "plate spoon blanket pillow clock shelf stool rug pot tray").split()


def product(rng, number, categories):
    price = lambda currency: {"amount": rng.randrange(100, 9000), "currency": currency}
    return {
        "title": "%s %s %s %d" % (rng.choice(WORDS).title(), rng.choice(WORDS), rng.choice(WORDS), number),
        "description": " ".join(rng.choice(WORDS) for _ in range(20)), "status": "active",
        "categories": [rng.choice(categories)], "attributes": {"material": rng.choice(WORDS), "colour": rng.choice(WORDS)},
        "variants": [{"sku": "SKU-%06d" % number, "prices": [price("GBP"), price("EUR")]}]}


def main():
    folder, port = tempfile.mkdtemp(), free_port()
    shop = subprocess.Popen(
        [options.program, "serve", "--port", str(port), "--data", folder + "/shop"], stdout=subprocess.PIPE, text=True,
        env=os.environ | {"VITRINE_OBSERVATORY_PORT": "0"})
    try:
        key = next(m.group(0) for m in (re.search(r"vk_[\w-]+", line) for line in shop.stdout) if m)
        threading.Thread(target=shop.stdout.read, daemon=True).start()

        def post(path, body, kind="application/json"):
            request = urllib.request.Request("http://127.0.0.1:%d%s" % (port, path), body, {
                "Authorization": "Bearer " + key, "Content-Type": kind})
            return json.load(urllib.request.urlopen(request))

        while True:
            try:
                urllib.request.urlopen("http://127.0.0.1:%d/health/live" % port)
                break
            except OSError:
                time.sleep(0.05)
        categories = [post("/v1/categories", json.dumps({"title": "Category %d" % n}).encode())["id"] for n in range(20)]
        rng = random.Random(7)
        lines = "\n".join(json.dumps(product(rng, n, categories)) for n in range(options.products)).encode()
        before, began = cpu(shop.pid), time.monotonic()
        report = post("/v1/products/import", lines, "application/x-ndjson")
        took = time.monotonic() - began
        if report["imported"] != options.products:
            raise SystemExit("refused: %d" % report["failed"])
        print("%d products in %.1f s, %.1f s of CPU, %d MiB at most" % (
            options.products, took, cpu(shop.pid) - before, peak(shop.pid)))
    finally:
        shop.terminate()
        shop.wait()
        shutil.rmtree(folder)


main()
