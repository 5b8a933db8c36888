# SPDX-License-Identifier: Apache-2.0
"""What Schemathesis cannot know of the shop: how a line of NDJSON is written, and that a key belongs to one request."""
import json
import os
import uuid

import schemathesis

# The key this run lives on (VITRINE_OWN_KEY_ID, from /v1/me): revoking it would turn all that follows into 401.
OWN = os.environ.get("VITRINE_OWN_KEY_ID")


@schemathesis.serializer("application/x-ndjson")
def lines(context, value):
    return value if isinstance(value, bytes) else json.dumps(value).encode()


@schemathesis.hook
def before_call(context, case, kwargs):
    # The attack sends wrong keys and none by the hundred, and must not limit itself.
    own = {"sign-in", "anonymous"}
    if case.operation.path.startswith("/v1/limits/") and (case.path_parameters or {}).get("name") in own:
        case.path_parameters["name"] = "partner"
    if OWN and (case.path_parameters or {}).get("id") == OWN and case.operation.method.upper() != "GET":
        case.path_parameters["id"] = "key_" + "0" * 26
    if not (case.meta and case.meta.generation.mode.is_positive):
        return
    if case.headers and "Idempotency-Key" in case.headers:
        case.headers["Idempotency-Key"] = str(uuid.uuid4())
    # A cursor is signed and belongs to one list, which no schema says.
    if case.query:
        case.query.pop("cursor", None)


# Of what a schema can say, the document must say all: a body that it allows is not refused for its shape. Whether what a
# body names exists, whether its parts fit together, and how many decimals a currency can hold, no schema says.
NOT_OF_SHAPE = ["contradiction", "precision"]
@schemathesis.check
def document_allows_what_server_reads(ctx, response, case):
    if not (case.meta and case.meta.generation.mode.is_positive) or response.status_code not in (400, 422):
        return
    errors = [e for e in response.json().get("errors", []) if e["code"] not in NOT_OF_SHAPE]
    assert not errors, f"The document allows what the server refuses: {errors[:3]}"
