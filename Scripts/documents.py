# SPDX-License-Identifier: Apache-2.0
"""Runs what the documents tell a reader to run: every `sh` block of README.md and docs/, one after the other.

Blocks marked `sh skip` need minutes, root or a file that is not shipped; other parts of the suite run those.
"""
import os
import pathlib
import re
import subprocess
import sys
import tempfile

root = pathlib.Path(__file__).resolve().parent.parent
binary = root / ".build/release/vitrine"
failed = 0
for page in [root / "README.md", *sorted((root / "docs").glob("*.md"))]:
    blocks = re.findall(r"```sh( skip)?\n(.*?)```", page.read_text(), re.S)
    for skip, block in blocks:
        if skip:
            continue
        with tempfile.TemporaryDirectory() as folder:
            environment = os.environ | {"PATH": "%s:%s" % (binary.parent, os.environ["PATH"])}
            run = subprocess.run(
                ["bash", "-c", "set -euo pipefail\n" + block], cwd=folder, env=environment, capture_output=True, text=True,
                timeout=60)
        print("%s %s: %s" % ("ok " if run.returncode == 0 else "BAD", page.name, block.strip().splitlines()[0]))
        if run.returncode != 0:
            failed += 1
            print(run.stdout + run.stderr)
sys.exit(1 if failed else 0)
