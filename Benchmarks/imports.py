# SPDX-License-Identifier: Apache-2.0
"""How long a shop takes to import a catalogue, what it holds then, and what its lists and searches cost. See Benchmarks/README.md.

Each product has a title with a number of its own, a description of twenty words, a category, two attributes and two prices.
"""
import argparse
import http.client
import json
import os
import pathlib
import random
import re
import shutil
import signal
import statistics
import subprocess
import tempfile
import threading
import time
import urllib.parse
import urllib.request

from servers import cpu, free_port, peak, start_postgres

root = pathlib.Path(__file__).resolve().parent.parent
options = argparse.ArgumentParser()
options.add_argument("--products", type=int, default=100_000)
options.add_argument("--program", default=str(root / ".build/release/vitrine"))
options.add_argument("--postgres", action="store_true", help="into a Postgres that is started for it, instead of SQLite")
options.add_argument("--depth", type=int, default=70_000, help="elements before the deep pages")
options = options.parse_args()
# More do not fit into one request.
PART = 100_000
WORDS = ("linen cotton brass oak walnut copper honey olive slate sand mug towel lamp chair bowl basket candle vase brush kettle "
         "plate spoon blanket pillow clock shelf stool rug pot tray").split()


def product(rng, number, categories):
    price = lambda currency: {"amount": rng.randrange(100, 9000), "currency": currency}
    return {
        "title": "%s %s %s %d" % (rng.choice(WORDS).title(), rng.choice(WORDS), rng.choice(WORDS), number),
        "description": " ".join(rng.choice(WORDS) for _ in range(20)), "status": "active",
        "categories": [rng.choice(categories)], "attributes": {"material": rng.choice(WORDS), "colour": rng.choice(WORDS)},
        "variants": [{"sku": "SKU-%06d" % number, "prices": [price("GBP"), price("EUR")]}]}


class Shopper:
    """Asks for pages of twenty, one after the other, of a shop that has nothing ready."""

    def __init__(self, shop, port, key):
        self.shop, self.connection = shop, http.client.HTTPConnection("127.0.0.1", port)
        # The field is unusual enough to be sent the general way.
        self.headers = {"Authorization": "Bearer " + key, "TE": "trailers"}

    def get(self, query, limit=20):
        self.connection.request("GET", "/v1/products?%s&limit=%d" % (query, limit), headers=self.headers)
        return json.loads(self.connection.getresponse().read())

    def cursors(self, query, skip, count=100):
        """Of the pages behind `skip` elements."""
        cursor, limit, found = "", 100, []
        while len(found) < count:
            answer = self.get(query + cursor, limit)
            if "next" not in answer:
                raise SystemExit("the list ends too soon: " + json.dumps(answer)[:200])
            cursor = "&" + re.search(r"cursor=[^&]+", answer["next"]).group(0)
            skip -= limit
            if skip <= 0:
                limit = 20
                found.append(cursor)
        return found

    def cost(self, query, cursors, rounds=3):
        """Microseconds of the shop's processor time a page."""
        before = cpu(self.shop.pid)
        for _ in range(rounds):
            for cursor in cursors:
                self.get(query + cursor)
        return (cpu(self.shop.pid) - before) / rounds / len(cursors) * 1e6

    def walk(self):
        for sort, more in [("newest", ""), ("title", ""), ("-title", ""), ("price", "&currency=GBP"),
                           ("-price", "&currency=GBP"), ("best_selling", "")]:
            query = "sort=" + sort + more
            first, deep = self.cursors(query, 100), self.cursors(query, options.depth)
            # In turns, because the machine is not equally fast at all times.
            turns = [(self.cost(query, first), self.cost(query, deep)) for _ in range(7)]
            print("%-13s %4.0f us a page at the beginning, %4.0f us behind %d elements: %.2f" % (
                sort, statistics.median(a for a, _ in turns), statistics.median(b for _, b in turns), options.depth,
                statistics.median(b / a for a, b in turns)), flush=True)

    def search(self, count=2_000):
        """What people type: a word or two, the beginning of one, one with a typing error, an article number or its beginning."""
        rng, times = random.Random(11), []

        def typed():
            word, kind = rng.choice(WORDS), rng.random()
            if kind < 0.4:
                return word
            if kind < 0.7:
                return word + " " + rng.choice(WORDS)
            if kind < 0.85:
                return word[:rng.randrange(2, len(word))] if len(word) > 3 else word
            if kind < 0.95:
                place = rng.randrange(1, len(word))
                return word[:place] + word[place + 1:] + " " + rng.choice(WORDS)
            number = "SKU-%06d" % rng.randrange(options.products)
            return number[:rng.randrange(4, 11)]

        for _ in range(count):
            query = "q=" + urllib.parse.quote(typed())
            began = time.perf_counter()
            self.get(query)
            times.append(((time.perf_counter() - began) * 1e3, query))
        times.sort()
        print("search: p50 %.1f ms, p99 %.1f ms, worst %.1f ms (%s)" % (
            times[count // 2][0], times[count * 99 // 100][0], *times[-1]), flush=True)


def main():
    folder, port = pathlib.Path(tempfile.mkdtemp()), free_port()
    postgres, server = start_postgres(folder, ["shop"]) if options.postgres else (None, None)
    shop = subprocess.Popen(
        [options.program, "serve", "--port", str(port), "--data", str(folder / "shop")]
        + (["--database", server["url"]] if server else []), stdout=subprocess.PIPE, text=True,
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
        before, took = cpu(shop.pid), 0
        for start in range(0, options.products, PART):
            numbers = range(start, min(start + PART, options.products))
            lines = "\n".join(json.dumps(product(rng, n, categories)) for n in numbers).encode()
            began = time.monotonic()
            report = post("/v1/products/import", lines, "application/x-ndjson")
            took += time.monotonic() - began
            if report["imported"] != len(numbers):
                raise SystemExit("refused: %d" % report["failed"])
        print("%d products in %.1f s, %.1f s of CPU, %d MiB at most" % (
            options.products, took, cpu(shop.pid) - before, peak(shop.pid)), flush=True)
        if options.depth < options.products:
            shopper = Shopper(shop, port, key)
            # On Postgres most of it is another process's time.
            if not postgres:
                shopper.walk()
            shopper.search()
    finally:
        shop.terminate()
        shop.wait()
        if postgres:
            postgres.send_signal(signal.SIGINT)
            postgres.wait()
        shutil.rmtree(folder)


main()
