# SPDX-License-Identifier: Apache-2.0
"""What the benchmarks share: a Postgres, nginx and haproxy, protobuf by hand, and what a process has used."""
import json
import os
import pathlib
import shutil
import socket
import subprocess
import threading
import time
import urllib.request


def varint(value):
    out = bytearray()
    while value >= 0x80:
        out.append(value & 0x7F | 0x80)
        value >>= 7
    out.append(value)
    return bytes(out)


def field(number, body):
    return varint(number << 3 | 2) + varint(len(body)) + body


def in_parallel(count, work):
    """Calls work(0) to work(count - 1) at once, and returns when all have."""
    threads = [threading.Thread(target=work, args=[number]) for number in range(count)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()


def free_port():
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        return s.getsockname()[1]


def wait_for(port):
    for _ in range(600):
        try:
            socket.create_connection(("127.0.0.1", port), 0.2).close()
            return
        except OSError:
            time.sleep(0.05)
    raise SystemExit("nothing listens on port %d" % port)


def cpu(pid):
    fields = pathlib.Path("/proc/%d/stat" % pid).read_text().rsplit(")", 1)[1].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def peak(pid):
    for line in pathlib.Path("/proc/%d/status" % pid).read_text().splitlines():
        if line.startswith("VmHWM"):
            return int(line.split()[1]) / 1024
    return 0


def start_postgres(folder, databases):
    """Debian's Postgres in a folder and on a port of its own, with nothing made faster than it is safe."""
    programs = max(pathlib.Path("/usr/lib/postgresql").glob("*/bin"), key=lambda p: int(p.parent.name))
    home, port = folder / "postgres", free_port()
    home.mkdir()
    folder.chmod(0o755)
    user = []
    if os.getuid() == 0:
        # Postgres refuses to be root.
        shutil.chown(home, "postgres")
        user = ["setpriv", "--reuid=postgres", "--regid=postgres", "--clear-groups"]
    run = lambda *command: subprocess.run(user + [str(programs / command[0]), *command[1:]], check=True, cwd=home,
                                          stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    run("initdb", "-D", str(home / "data"), "-U", "vitrine", "-A", "trust")
    process = subprocess.Popen(
        user + [str(programs / "postgres"), "-D", str(home / "data"), "-p", str(port), "-k", str(home), "-c",
                "max_connections=200", "-c", "shared_buffers=512MB", "-c", "log_min_messages=fatal"],
        cwd=home, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    for _ in range(200):
        try:
            run("psql", "-h", "127.0.0.1", "-p", str(port), "-U", "vitrine", "-c", "SELECT 1", "postgres")
            break
        except subprocess.CalledProcessError:
            time.sleep(0.1)
    for name in databases:
        run("createdb", "-h", "127.0.0.1", "-p", str(port), "-U", "vitrine", name)
    return process, {
        "url": "postgres://vitrine@127.0.0.1:%d/%s" % (port, databases[0]), "port": port, "programs": programs, "pid": process.pid}


def pgbench(server, *arguments):
    return subprocess.run(
        [str(server["programs"] / "pgbench"), *arguments, "-h", "127.0.0.1", "-p", str(server["port"]), "-U", "vitrine", "tpcb"],
        check=True, capture_output=True, text=True).stdout


def fill_pgbench(server):
    pgbench(server, "-i", "-q", "-s", "10")


def post(url, key, body):
    request = urllib.request.Request(
        url, json.dumps(body).encode(), {"Authorization": "Bearer " + key, "Content-Type": "application/json"})
    return json.loads(urllib.request.urlopen(request).read())


def prepare_orders(base, key, folder):
    """A hundred articles with stock for everybody, and for wrk a script in which each request is a new order of one of them."""
    locations = json.loads(urllib.request.urlopen(urllib.request.Request(
        base + "/v1/inventory/locations", headers={"Authorization": "Bearer " + key})).read())["items"]
    location = locations[0]["id"] if locations else post(base + "/v1/inventory/locations", key, {
        "code": "bench", "name": "Bench", "country": "GB"})["id"]
    for number in range(100):
        post(base + "/v1/products", key, {
            "title": "Benchmark %d" % number,
            "variants": [{"sku": "BENCH-%d" % number, "prices": [{"amount": 1000, "currency": "GBP"}]}]})
    post(base + "/v1/inventory/adjustments", key, {
        "location_id": location, "lines": [{"sku": "BENCH-%d" % number, "quantity": 10_000_000} for number in range(100)]})
    script = folder / "order.lua"
    script.write_text(
        'wrk.method = "POST"\nwrk.headers["Content-Type"] = "application/json"\n'
        'request = function() return wrk.format(nil, nil, nil, \'{"currency":"GBP","lines":[{"sku":"BENCH-\' .. '
        'math.random(0, 99) .. \'","quantity":1}],"payment":{"card":"sandbox_approve"}}\') end\n')
    return str(script)


def start_nginx(folder, files):
    port = free_port()
    (folder / "www").mkdir()
    for name, data in files.items():
        (folder / "www" / name).write_bytes(data)
    (folder / "nginx.conf").write_text(
        "daemon off; worker_processes 1; pid %(d)s/nginx.pid; error_log /dev/null; events { worker_connections 1024; }\n"
        # Never at its limit, so that only the counting is measured.
        "http { limit_req_zone $http_authorization zone=keys:10m rate=1000000r/s;\n"
        "access_log off; keepalive_requests 1000000000; default_type application/json; sendfile on;\n"
        "open_file_cache max=10; client_body_temp_path %(d)s/b; proxy_temp_path %(d)s/p; fastcgi_temp_path %(d)s/f;\n"
        "uwsgi_temp_path %(d)s/u; scgi_temp_path %(d)s/s;\n"
        "server { listen 127.0.0.1:%(p)d; root %(d)s/www;\n"
        "location /limited/ { limit_req zone=keys burst=1000000 nodelay; alias %(d)s/www/; } } }\n"
        % {"d": folder, "p": port})
    # Workers of a root process change to another user, who must be able to read the files.
    for path in [folder, folder / "www"]:
        path.chmod(0o755)
    nginx = shutil.which("nginx") or "/usr/sbin/nginx"
    process = subprocess.Popen([nginx, "-c", str(folder / "nginx.conf")], stderr=subprocess.DEVNULL)
    wait_for(port)
    return process, port


def start_haproxy(folder, path, counts):
    """Answers a file; with `counts` after it has counted the key in a stick table, which is never at its limit."""
    port = free_port()
    table = "  stick-table type string len 64 size 100k expire 1m store http_req_rate(60s)\n" \
        "  http-request track-sc0 req.hdr(authorization)\n" \
        "  http-request deny deny_status 429 if { sc_http_req_rate(0) gt 1000000000 }\n"
    config = folder / ("haproxy-%d.cfg" % port)
    config.write_text(
        "global\n  nbthread 1\n  maxconn 1000\n  tune.bufsize 65536\n"
        "defaults\n  mode http\n  timeout connect 5s\n  timeout client 30s\n  timeout server 30s\n"
        "frontend all\n  bind 127.0.0.1:%d\n%s  http-request return status 200 content-type application/json file %s\n"
        % (port, table if counts else "", path))
    haproxy = shutil.which("haproxy") or "/usr/sbin/haproxy"
    process = subprocess.Popen([haproxy, "-db", "-q", "-f", str(config)], stderr=subprocess.DEVNULL)
    wait_for(port)
    return process, port
