# SPDX-License-Identifier: Apache-2.0
"""django-oscar behind gunicorn. bench.py's own functions measure its reads; an order, of two calls, has its loop here."""
import concurrent.futures
import http.client
import json
import os
import pathlib
import subprocess
import sys
import time

here = pathlib.Path(__file__).resolve().parent
address = {"first_name": "Ada", "last_name": "King", "line1": "1 High Street", "line4": "London", "postcode": "N1 9GU"}


def install(venv):
    if not (venv / "bin/gunicorn").exists():
        subprocess.run([sys.executable, "-m", "venv", venv], check=True)
        subprocess.run([venv / "bin/pip", "install", "-q", "-r", here / "requirements.txt"], check=True)


def start(venv, port, database, products=5000):
    """`database` is sqlite:/a/new/file or the URL of an empty Postgres database. Returns the master of two workers."""
    environment = {
        **os.environ, "PYTHONPATH": str(here), "PYTHONDONTWRITEBYTECODE": "1", "DJANGO_SETTINGS_MODULE": "settings",
        "OSCAR_DATABASE": database}
    subprocess.run([venv / "bin/python", here / "seed.py", str(products)], check=True, env=environment)
    # Of the workers sync and gthread with 1, 2 and 4 threads, all read for the same CPU, and sync ordered for the least.
    return subprocess.Popen(
        [venv / "bin/gunicorn", "--preload", "-w", "2", "-k", "sync", "--log-level", "error", "-b", "127.0.0.1:%d" % port,
         "django.core.wsgi:get_wsgi_application()"], env=environment)


class Buyer:
    """Places one order after another, each with a basket and a cookie of its own."""

    def __init__(self, base):
        self.base, self.connection = base, http.client.HTTPConnection(base.split("/")[2], timeout=120)

    def post(self, path, body, headers):
        self.connection.request("POST", path, json.dumps(body), {"Content-Type": "application/json", **headers})
        answer = self.connection.getresponse()
        data = answer.read()
        return data if answer.status == 200 else None, answer.headers["Set-Cookie"]

    def fill(self, product):
        wanted = {"url": "%s/api/products/%d/" % (self.base, product), "quantity": 1}
        data, cookie = self.post("/api/basket/add-product/", wanted, {})
        self.basket, self.cookie = data and json.loads(data)["url"], {"Cookie": (cookie or "").split(";")[0]}
        return data is not None

    def pay(self):
        return self.post("/api/checkout/", {
            "basket": self.basket, "guest_email": "ada@example.org", "total": "10.00",
            "shipping_address": {"country": self.base + "/api/countries/GB/", **address}}, self.cookie)[0] is not None


def orders(base, clients, seconds):
    """Milliseconds of each order that was placed, and how many were not."""
    end = time.time() + seconds

    def shop(number):
        buyer, times, refused = Buyer(base), [], 0
        while (start := time.time()) < end:
            if buyer.fill(1 + (number * 37 + len(times)) % 1000) and buyer.pay():
                times.append((time.time() - start) * 1000)
            else:
                refused += 1
        return times, refused

    with concurrent.futures.ThreadPoolExecutor(clients) as pool:
        results = list(pool.map(shop, range(clients)))
    return sorted(t for times, _ in results for t in times), sum(refused for _, refused in results)


def measure_orders(name, what, pid, base, clients, seconds, cpu_seconds, memory_mb):
    """A row as bench.py's measure() makes it, with the functions of bench.py."""
    orders(base, clients, 2)
    before, start = cpu_seconds(pid), time.time()
    times, refused = orders(base, clients, seconds)
    cpu, wall = cpu_seconds(pid) - before, time.time() - start
    return {
        "server": name, "request": what, "per_second": round(len(times) / wall, 1), "cpu_us": round(cpu / len(times) * 1e6, 1),
        "p50_ms": round(times[len(times) // 2], 1), "p99_ms": round(times[len(times) * 99 // 100], 1),
        "memory_mb": round(memory_mb(pid)), "refused": refused, "peer_of": what}


def oversell(base, product, buyers=60):
    """All have one of the product in their baskets, the seed's last, of which there are ten; how many are then sold one?"""
    everybody = [Buyer(base) for _ in range(buyers)]
    assert all([buyer.fill(product) for buyer in everybody])
    with concurrent.futures.ThreadPoolExecutor(buyers) as pool:
        return sum(pool.map(Buyer.pay, everybody))
