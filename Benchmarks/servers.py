# SPDX-License-Identifier: Apache-2.0
"""What the benchmarks share: a Postgres, protobuf by hand, and what a process has used."""
import os
import pathlib
import shutil
import socket
import subprocess
import threading
import time


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
