# SPDX-License-Identifier: Apache-2.0
"""The OpenAPI document from standard input as generators of clients understand it, to standard output.

They know no choice between sets of required fields (`oneOf` beside `properties`), and take `anyOf` with null for a type of its
own; both say more than a client's types can. The version is left out of the parameters: a client sets it once, as a header of all
its requests.
"""
import json
import sys


def plain(node):
    if isinstance(node, list):
        return [plain(entry) for entry in node]
    if not isinstance(node, dict):
        return node
    if isinstance(node.get("parameters"), list):
        version = {"$ref": "#/components/parameters/Vitrine-Version"}
        node = {**node, "parameters": [entry for entry in node["parameters"] if entry != version]}
    node = {name: plain(value) for name, value in node.items()}
    if "properties" in node:
        node.pop("oneOf", None)
    kinds = node.get("anyOf", [])
    if len(kinds) == 2 and {"type": "null"} in kinds:
        del node["anyOf"]
        node = {**next(kind for kind in kinds if kind != {"type": "null"}), **node}
        if isinstance(node.get("type"), str):
            node["type"] = [node["type"], "null"]
    return node


json.dump(plain(json.load(sys.stdin)), sys.stdout, indent=1)
