# SPDX-License-Identifier: Apache-2.0
"""Prints twenty thousand field values with what http-sf makes of them: kind, value and canonical text or `refused`."""
import random

import http_sf

random.seed(9651)
ATOMS = ["a", "b", "*x", "foo/bar", "1", "-7", "0", "12.5", "-0.25", "999999999999999", "123456789012.125", "?0", "?1",
         '"q"', '"a \\" b"', '"\\\\"', '""', ":aGVsbG8=:", "::", ":YQ==:", "@0", "@-5", "@1659578233",
         '%"f%c3%bc"', '%""', '%"a b"']
KEYS = ["a", "b", "c1", "*k", "x-y", "z_z", "d.d"]
NOISE = list(' \t,;=()":?@%*-.0123456789abcXYZ\\/_~') + ["\x7f", "\x00", "%c3", "%C3", "=="]


def parameters():
    text = ""
    while random.random() < 0.35:
        text += ";" + random.choice(["", " ", "  "]) + random.choice(KEYS)
        if random.random() < 0.7:
            text += "=" + random.choice(ATOMS)
    return text


def item():
    return random.choice(ATOMS) + parameters()


def member():
    if random.random() < 0.25:
        gap = random.choice([" ", "  "])
        return "(" + random.choice(["", " "]) + gap.join(item() for _ in range(random.randrange(4))) + ")" + parameters()
    return item()


def field(kind):
    comma = random.choice([",", ", ", "\t,\t", " , "])
    if kind == "item":
        return item()
    if kind == "list":
        return comma.join(member() for _ in range(random.randrange(5)))
    return comma.join(random.choice(KEYS) + (parameters() if random.random() < 0.3 else "=" + member())
                      for _ in range(random.randrange(5)))


for _ in range(20_000):
    kind = random.choice(["item", "list", "dictionary"])
    text = field(kind)
    for _ in range(random.choice([0, 0, 1, 1, 2, 5])):
        place = random.randrange(len(text) + 1)
        cut = random.choice([0, 0, 1, 2])
        text = text[:place] + random.choice(NOISE + [""]) + text[place + cut:]
    try:
        value = http_sf.parse(text.encode(), tltype=kind)
        canonical = http_sf.ser(value) if value not in ([], {}) else ""
    except Exception:
        canonical = "refused"
    print(kind, text, canonical, sep="\x1f")
