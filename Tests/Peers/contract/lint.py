#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Lints the answers of a running shop with httplint.

    lint.py http://HOST:PORT KEY [--all] [--json FILE]

Takes the bytes of each answer from a socket as they are, and feeds them to httplint. Covers every GET of the OpenAPI
document (whole, in gzip, as HEAD, and as 304), every kind of write once, and the problems 400 to 431. It makes what it
needs, so an empty shop does as well as the sample shop. Ends with 1 where a note of level bad or warning is not among
EXPECTED, and with 2 where an operation of the document was not asked.
"""
import argparse, collections, http.cookiejar, json, re, socket, sys, time, urllib.parse, urllib.request
from httplint import HttpRequestLinter, HttpResponseLinter, levels

# Class names of notes that are known and meant, each with why.
EXPECTED = {
    "CSP_HTTP_URI": "The sandbox that the page may ask speaks no TLS here.",
    "REQUEST_HDR_IN_RESPONSE": "RFC 9110 section 12.5.3 has Accept-Encoding in a 415 say which codings are taken.",
    "STATUS_BAD_REQUEST": "We asked for these.",
    "VARY_COMPLEX": "They do vary by language, coding, version of the API, whose key it is, and the origin of a page.",
}


class Shop:
    def __init__(self, base, key):
        url = urllib.parse.urlsplit(base)
        self.host, self.port, self.base, self.key = url.hostname, url.port or 80, base.rstrip("/"), key
        self.notes = collections.OrderedDict()  # (level, class, subject, summary) -> labels
        self.good, self.count, self.asked = collections.Counter(), 0, set()
        self.log = []

    # -- one exchange, in bytes

    def ask(self, method, target, body=None, headers=(), key=True, label=None, raw=None, operation=None):
        """Sends one request on a connection of its own; answers (status, {name: value}, content) after linting."""
        fields = [("Host", f"{self.host}:{self.port}"), ("User-Agent", "vitrine-lint/1"), ("Accept", "*/*")]
        if key:
            fields.append(("Authorization", "Bearer " + (key if isinstance(key, str) else self.key)))
        content = b""
        if body is not None:
            content = body if isinstance(body, bytes) else json.dumps(body).encode()
            if not any(n.lower() == "content-type" for n, _ in headers):
                kind = "application/merge-patch+json" if method == "PATCH" else "application/json"
                fields.append(("Content-Type", kind))
            fields.append(("Content-Length", str(len(content))))
        given = {n.lower() for n, _ in headers}
        fields = [f for f in fields if f[0].lower() not in given] + list(headers)
        wire = raw or (
            f"{method} {target} HTTP/1.1\r\n" + "".join(f"{n}: {v}\r\n" for n, v in fields) + "\r\n").encode() + content
        label = label or f"{method} {target.split('?')[0]}"
        began = time.time()
        with socket.create_connection((self.host, self.port), timeout=10) as connection:
            connection.sendall(wire)
            version, code, phrase, answer, chunks, complete, rest = self.receive(connection, method)
        self.count += 1
        self.lint(label, began, method, target, fields, content, version, code, phrase, answer, chunks, complete, rest)
        if operation:
            self.asked.add(operation)
        return int(code), {n.decode().lower(): v.decode("latin-1") for n, v in answer}, b"".join(chunks)

    @staticmethod
    def receive(connection, method):
        data = b""

        def more():
            nonlocal data
            got = connection.recv(65536)
            data += got
            return bool(got)

        while True:
            while b"\r\n\r\n" not in data:
                if not more():
                    raise EOFError(f"connection closed in the head: {data[:200]!r}")
            head, data = data.split(b"\r\n\r\n", 1)
            lines = head.split(b"\r\n")
            version, code, phrase = (lines[0].split(b" ", 2) + [b""])[:3]
            if not code.startswith(b"1"):
                break
        answer = [tuple(part.strip(b" \t") for part in line.split(b":", 1)) for line in lines[1:]]
        find = {n.lower(): v for n, v in answer}
        if method == "HEAD" or code in (b"204", b"304"):
            chunks, complete = [], True
        elif b"chunked" in find.get(b"transfer-encoding", b"").lower():
            chunks, complete = [], True
            while True:
                while b"\r\n" not in data and more():
                    pass
                size, data = data.split(b"\r\n", 1)
                size = int(size.split(b";")[0], 16)
                while len(data) < size + 2 and more():
                    pass
                if size:
                    chunks.append(data[:size])
                data = data[size + 2:]
                if not size:
                    break
        elif b"content-length" in find:
            size = int(find[b"content-length"])
            while len(data) < size and more():
                pass
            chunks, complete, data = [data[:size]], len(data) >= size, data[size:]
        else:
            while more():
                pass
            chunks, complete, data = [data], True, b""
        # Bytes after the answer are somebody's mistake.
        connection.settimeout(0.02)
        try:
            more()
        except OSError:
            pass
        return version.split(b"/")[1], code, phrase, answer, chunks, complete, data

    # -- what httplint says about it

    def lint(self, label, began, method, target, fields, content, version, code, phrase, answer, chunks, complete, rest):
        request, response = HttpRequestLinter(start_time=began), HttpResponseLinter(start_time=began)
        request.process_request_topline(method.encode(), (self.base + target).encode(), b"1.1")
        request.process_headers([(n.encode(), v.encode()) for n, v in fields])
        request.feed_content(content)
        response.request, response.base_uri = request, self.base + target
        response.is_head_response = method == "HEAD"
        request.finish_content(True)
        response.process_response_topline(version, code, phrase)
        response.process_headers(answer)
        for chunk in chunks:
            response.feed_content(chunk)
        response.finish_content(complete)
        label = f"{label} -> {code.decode()}"
        if rest:
            self.note("bad", "BYTES_AFTER_ANSWER", "message", f"{len(rest)} bytes follow the answer.", label)
        self.log.append((label, [(n.level.value, type(n).__name__, n.summary) for n in response.notes]))
        for note in response.notes:
            for one in [note] + list(note.subnotes):
                self.note(one.level.value, type(one).__name__, one.subject, str(one.summary), label)

    def note(self, level, name, subject, summary, label):
        self.notes.setdefault((level, name, subject, summary), []).append(label)

    # -- things to ask about

    def make(self, method, target, body, operation, **more):
        status, headers, content = self.ask(method, target, body, operation=operation, **more)
        if status >= 300:
            raise SystemExit(f"{method} {target}: {status} {content.decode()[:500]}")
        return (json.loads(content) if content else None), headers


def open_account(url):
    """Chooses a password on the page behind a customer's link, as a browser does."""
    browser = urllib.request.build_opener(urllib.request.HTTPCookieProcessor(http.cookiejar.CookieJar()))
    page = browser.open(url, timeout=10).read().decode()
    fields = dict(re.findall(r'name="(form_token|key)" value="([^"]*)"', page), password="lint lint lint")
    browser.open(url.split("?")[0], urllib.parse.urlencode(fields).encode(), timeout=10)


def fixtures(shop):
    """Makes one of each thing through every write there is; answers the identifiers to read with."""
    run = format(time.time_ns(), "x")
    star = [("If-Match", "*")]
    once = lambda name: [("Idempotency-Key", f"lint-{run}-{name}")]
    v1 = "/v1/"
    category, _ = shop.make("POST", v1 + "categories", {"title": "Lint " + run}, "createCategory")
    child, _ = shop.make("POST", v1 + "categories", {"title": "Child " + run, "parent_id": category["id"]}, "createCategory")
    cat = v1 + "categories/" + child["id"]
    shop.make("PUT", cat, {"title": "Child " + run}, "replaceCategory", headers=star)
    shop.make("PATCH", cat, {"position": 2}, "patchCategory", headers=star)
    shop.make("PUT", cat + "/translations/de", {"title": "Kind"}, "putCategoryTranslation")
    shop.make("DELETE", cat + "/translations/de", None, "deleteCategoryTranslation")
    shop.make("DELETE", cat, None, "deleteCategory", headers=star)

    def variant(sku):
        return {"sku": f"LINT-{run}-{sku}", "prices": [{"amount": 1250, "currency": "GBP"}]}
    thing = {"title": "Lint thing " + run, "description": "x" * 1500, "categories": [category["id"]],
             "attributes": {"colour": "red"}, "variants": [variant("A")]}
    product, headers = shop.make("POST", v1 + "products", thing, "createProduct", headers=once("product"))
    shop.ask("POST", v1 + "products", thing, headers=once("product"), label="POST /v1/products (replayed)")
    other, _ = shop.make("POST", v1 + "products", dict(thing, title="Other " + run, variants=[variant("B")]), "createProduct")
    prod = v1 + "products/" + product["id"]
    shop.make("PATCH", prod, {"title": "Lint thing patched"}, "patchProduct", headers=star)
    shop.make("PUT", prod + "/translations/de", {"title": "Ding", "description": "ein Ding"}, "putProductTranslation")
    shop.make("PUT", prod + "/translations/fr", {"title": "Chose"}, "putProductTranslation")
    shop.make("DELETE", prod + "/translations/fr", None, "deleteProductTranslation")
    made, _ = shop.make("POST", prod + "/variants", variant("C"), "createVariant")
    var = v1 + "variants/" + made["id"]
    shop.make("PUT", var, variant("C"), "replaceVariant", headers=star)
    shop.make("PATCH", var, {"title": "small"}, "patchVariant", headers=star)
    shop.make("PUT", var + "/prices/EUR", {"amount": 1400}, "putPrice")
    shop.make("DELETE", var + "/prices/EUR", None, "deletePrice")
    shop.make("DELETE", var, None, "deleteVariant", headers=star)
    shop.make("DELETE", v1 + "products/" + other["id"], None, "deleteProduct", headers=star)
    third, _ = shop.make("POST", v1 + "products", dict(thing, title="Third " + run, variants=[variant("D")]), "createProduct")
    shop.make("PUT", v1 + "products/" + third["id"], dict(thing, title="Third again " + run, variants=[variant("D")]),
              "replaceProduct", headers=star)
    line = json.dumps({"title": "Imported " + run, "variants": [variant("I")]}).encode() + b"\n"
    shop.ask("POST", v1 + "products/import", line, headers=[("Content-Type", "application/x-ndjson")], operation="importProducts")
    full, _ = shop.make("GET", prod + "/variants", None, "listVariants")
    sold = full["items"][0]

    place, _ = shop.make("POST", v1 + "inventory/locations", {"code": f"lint-{run}", "name": "Lint", "country": "GB"}, "createLocation")
    second, _ = shop.make("POST", v1 + "inventory/locations", {"code": f"lint2-{run}", "name": "Lint 2", "country": "GB"}, "createLocation")
    shop.make("PATCH", v1 + "inventory/locations/" + place["id"], {"name": "Lint hall"}, "patchLocation", headers=star)
    shop.make("POST", v1 + "inventory/adjustments",
              {"location_id": place["id"], "reason": "received", "lines": [{"variant_id": sold["id"], "quantity": 50}]}, "adjustStock")
    shop.make("POST", v1 + "inventory/counts",
              {"location_id": place["id"], "lines": [{"variant_id": sold["id"], "quantity": 60}]}, "countStock")
    shop.make("POST", v1 + "inventory/transfers",
              {"from_location_id": place["id"], "to_location_id": second["id"], "lines": [{"variant_id": sold["id"], "quantity": 5}]},
              "transferStock")

    customer, _ = shop.make("POST", v1 + "customers", {"email": f"lint-{run}@example.com", "name": "Lint"}, "createCustomer")
    cus = v1 + "customers/" + customer["id"]
    shop.make("PATCH", cus, {"name": "Linter"}, "patchCustomer", headers=star)
    where = {"name": "Lint", "street": "1 Row", "city": "York", "country": "GB"}
    address, _ = shop.make("POST", cus + "/addresses", {"address": where}, "createAddress")
    again = {"address": dict(where, city="Leeds")}
    shop.make("PUT", cus + "/addresses/" + address["id"], again, "replaceAddress")
    spare, _ = shop.make("POST", cus + "/addresses", again, "createAddress")
    shop.make("DELETE", cus + "/addresses/" + spare["id"], None, "deleteAddress")

    link, _ = shop.make("POST", cus + "/account-links", None, "createAccountLink")
    open_account(link["url"])
    shop.make("DELETE", cus + "/account/second-factor", None, "removeCustomerSecondFactor")
    leaving, _ = shop.make("POST", v1 + "customers", {"email": f"leaving-{run}@example.com"}, "createCustomer")
    link, _ = shop.make("POST", v1 + f"customers/{leaving['id']}/account-links", None, "createAccountLink")
    open_account(link["url"])
    shop.make("DELETE", v1 + f"customers/{leaving['id']}/account", None, "deleteCustomerAccount")

    cart, _ = shop.make("POST", v1 + "carts", {"currency": "GBP", "customer_id": customer["id"]}, "createCart")
    c = v1 + "carts/" + cart["id"]
    filled, _ = shop.make("POST", c + "/lines", {"variant_id": sold["id"], "quantity": 2}, "addCartLine")
    entry = filled["lines"][0]["id"]
    shop.make("PATCH", c, {"country": "GB"}, "patchCart")
    shop.make("PATCH", f"{c}/lines/{entry}", {"quantity": 3}, "patchCartLine")
    shop.make("DELETE", f"{c}/lines/{entry}", None, "deleteCartLine")
    doomed, _ = shop.make("POST", v1 + "carts", {"currency": "GBP"}, "createCart")
    shop.make("DELETE", v1 + "carts/" + doomed["id"], None, "deleteCart")

    def order(name, card, quantity=2):
        body = {"currency": "GBP", "customer_id": customer["id"], "email": f"lint-{run}@example.com",
                "lines": [{"variant_id": sold["id"], "quantity": quantity}], "payment": {"card": card}}
        return shop.ask("POST", v1 + "orders", body, headers=once(name), operation="placeOrder")
    status, _, content = order("order", "sandbox_approve")
    placed = json.loads(content)
    assert status == 201, content
    o = v1 + "orders/" + placed["id"]
    order("declined", "sandbox_decline")
    order("none left", "sandbox_approve", 100_000)
    status, _, content = order("3ds", "sandbox_3ds")
    waiting = json.loads(content)
    if status == 201:
        shop.ask("POST", f"{v1}orders/{waiting['id']}/authentication", {"succeeded": True}, operation="authenticatePayment",
                 headers=once("3ds answer"))
    status, _, content = order("cancelled", "sandbox_approve")
    shop.ask("POST", f"{v1}orders/{json.loads(content)['id']}/cancel", operation="cancelOrder")
    shop.make("PATCH", o, {"metadata": {"by": "lint"}}, "patchOrder", headers=star)
    row = placed["lines"][0]["id"]
    shop.make("POST", o + "/fulfilments", {"lines": [{"line_id": row, "quantity": 2}]}, "createFulfilment")
    shop.make("POST", o + "/returns", {"lines": [{"line_id": row, "quantity": 1}]}, "createOrderReturn")
    shop.make("POST", o + "/refunds", {"amount": {"amount": 100, "currency": "GBP"}, "reason": "lint"}, "createRefund")
    loose, _ = shop.make("POST", v1 + "returns", {
        "external_id": "lint-" + run, "currency": "GBP", "received_at": "2026-11-22T10:00:00Z",
        "lines": [{"variant_id": sold["id"], "quantity": 1, "unit_price": {"amount": 100, "currency": "GBP"}}]}, "createReturn")
    shop.make("POST", v1 + "ledger/adjustments", {"external_id": "lint-" + run, "reason": "lint", "occurred_at": "2026-11-22T10:00:00Z",
                                                  "amount": {"amount": 1, "currency": "GBP"}}, "createLedgerAdjustment")
    shop.make("POST", cus + "/export", None, "exportCustomer")
    gone, _ = shop.make("POST", v1 + "customers", {"email": f"gone-{run}@example.com"}, "createCustomer")
    shop.make("POST", v1 + f"customers/{gone['id']}/erase", None, "eraseCustomer")
    shop.ask("POST", v1 + "payments/notifications/stripe", {"type": "x"}, headers=[("Stripe-Signature", "t=1,v1=00")],
             operation="receivePaymentNotification", key=False)
    key, _ = shop.make("POST", v1 + "keys", {"name": "lint", "scopes": ["read:products"]}, "createKey")
    shop.weak = key["secret"]
    shop.make("POST", f"{v1}keys/{key['id']}/rotate", {"overlap_seconds": 60}, "rotateKey")
    old, _ = shop.make("POST", v1 + "keys", {"name": "lint2", "scopes": ["read:products"]}, "createKey")
    shop.make("PATCH", v1 + "keys/" + old["id"], {"tier": "partner"}, "patchKey", headers=star)
    shop.make("DELETE", v1 + "keys/" + old["id"], None, "revokeKey")
    app, _ = shop.make("POST", v1 + "apps", {"name": "lint", "redirect_uris": ["https://lint.example/"]}, "createApp")
    shop.make("PATCH", v1 + "apps/" + app["id"], {"scopes": ["read:products"]}, "patchApp", headers=star)
    shop.make("POST", v1 + "apps/" + app["id"] + "/secrets", {}, "rotateAppSecret")
    left, _ = shop.make("POST", v1 + "apps", {"name": "left"}, "createApp")
    shop.make("DELETE", v1 + "apps/" + left["id"], None, "deleteApp")
    organization, _ = shop.make("POST", v1 + "organizations", {"name": "Lint"}, "createOrganization")
    shop.make("PATCH", v1 + "organizations/" + organization["id"], {"name": "Lint & Co"}, "patchOrganization", headers=star)
    shop.make("POST", f"{v1}organizations/{organization['id']}/invitations", {"role": "owner"}, "createInvitation")
    nobody = f"{v1}organizations/{organization['id']}/members/usr_{'0' * 26}"
    shop.ask("PUT", nobody, {"role": "viewer"}, operation="changeOrganizationMember")
    shop.ask("DELETE", nobody, operation="removeOrganizationMember")
    shop.ask("POST", v1 + "organizations/join", {"key": "none"}, operation="joinOrganization")
    empty, _ = shop.make("POST", v1 + "organizations", {"name": "Empty"}, "createOrganization")
    shop.make("DELETE", v1 + "organizations/" + empty["id"], None, "deleteOrganization", headers=star)
    shop.make("PUT", v1 + "roles/lint", {"scopes": ["read:products"]}, "putRole")
    user, _ = shop.make("POST", v1 + "users", {"email": f"staff-{run}@example.com", "name": "Lint", "role": "lint",
                                               "password": "lint lint lint"}, "createUser")
    shop.make("PATCH", v1 + "users/" + user["id"], {"name": "Lint 2"}, "patchUser", headers=star)
    shop.make("DELETE", v1 + "users/" + user["id"] + "/second-factor", None, "removeUserSecondFactor")
    shop.make("PUT", v1 + "limits/search", {"limit": 4000}, "putLimit")
    shop.make("DELETE", v1 + "limits/search", None, "resetLimit")
    refused, _, _ = shop.ask("PUT", v1 + "faults", {"seconds": 1, "faults": [{"edge": "payment", "kind": "error"}]},
                             operation="putFaults")
    ended, _, _ = shop.ask("DELETE", v1 + "faults", operation="endFaults")
    assert (refused, ended) == (403, 403), (refused, ended)
    return {
        "/v1/products": product["id"], "/v1/variants": sold["id"], "/v1/categories": category["id"],
        "/v1/inventory/products": product["id"], "/v1/inventory/locations": place["id"], "/v1/customers": customer["id"],
        "/v1/carts": cart["id"], "/v1/orders": placed["id"], "/v1/returns": loose["id"],
        "/v1/payments": placed["payments"][0]["id"], "/v1/keys": key["id"], "/v1/apps": app["id"],
        "/v1/users": user["id"], "/v1/organizations": organization["id"]}


def reads(shop, ids, document):
    for path, item in document["paths"].items():
        operation = item.get("get")
        if not operation:
            continue
        target = path
        if "{" in path:
            front = path.split("/{")[0]
            target = re.sub(r"\{[^}]*\}", ids[front], path, count=1)
            assert "{" not in target, path
        query = {p["name"]: "GBP" for p in operation.get("parameters", []) if p.get("in") == "query" and p.get("required")}
        if query:
            target += "?" + urllib.parse.urlencode(query)
        name = operation["operationId"]
        open_ = not operation["security"]
        status, headers, content = shop.ask("GET", target, label=f"GET {path}", operation=name, key=not open_)
        if status != 200:
            shop.note("bad", "UNEXPECTED_STATUS", "status", f"{status} {content[:200]}", f"GET {path}")
        # Again, which a ready answer may serve; without bytes; compressed; unchanged; and a page of a list with all links.
        shop.ask("GET", target, label=f"GET {path} (again)")
        shop.ask("HEAD", target, label=f"HEAD {path}")
        _, zipped, _ = shop.ask("GET", target, headers=[("Accept-Encoding", "gzip")], label=f"GET {path} (gzip)")
        if "etag" in headers:
            shop.ask("GET", target, headers=[("If-None-Match", headers["etag"])], label=f"GET {path} (If-None-Match)")
            shop.ask("GET", target, headers=[("If-None-Match", headers["etag"])], label=f"GET {path} (If-None-Match, again)")
            if "content-encoding" in zipped:
                shop.ask("GET", target, headers=[("If-None-Match", zipped["etag"]), ("Accept-Encoding", "gzip")],
                         label=f"GET {path} (gzip, If-None-Match)")
                shop.ask("GET", target, headers=[("Accept-Encoding", "gzip")], label=f"GET {path} (gzip, again)")
        if any(p.get("name") == "cursor" for p in operation.get("parameters", [])):
            join = "&" if "?" in target else "?"
            _, _, page = shop.ask("GET", f"{target}{join}limit=1", label=f"GET {path}?limit=1")
            following = json.loads(page).get("next")
            if following:
                url = urllib.parse.urlsplit(following)
                shop.ask("GET", f"{url.path}?{url.query}", label=f"GET {path}?cursor")
        if path.startswith("/v1/products"):
            shop.ask("GET", target, headers=[("Accept-Language", "de, en;q=0.5")], label=f"GET {path} (de)")
        # Problems of reads.
        if not open_:
            shop.ask("GET", target, key=False, label=f"GET {path} (no key)")
        shop.ask("GET", target, headers=[("Accept", "image/png")], label=f"GET {path} (Accept)")
        shop.ask("GET", target + ("&" if "?" in target else "?") + "nonsense=1", label=f"GET {path}?nonsense")
        if "{" in path and ids[path.split("/{")[0]]:
            absent = re.sub(r"[0-9a-hjkmnp-tv-z]{26}", "0" * 26, target)
            shop.ask("GET", absent, label=f"GET {path} (absent)")
        for method in ("PUT", "DELETE", "PATCH", "POST", "TRACE", "PROPFIND", "OPTIONS"):
            if method.lower() not in item:
                shop.ask(method, target, label=f"{method} {path} (no such method)")


def problems(shop, ids):
    products, one = "/v1/products", "/v1/products/" + ids["/v1/products"]
    text = [("Content-Type", "text/plain")]
    shop.ask("GET", "/nowhere", label="GET /nowhere")
    for page in ["/developers", "/developers/reference", "/developers/reference/placeOrder", "/problems", "/problems/not-found",
                 "/problems/nowhere", "/changelog", "/sign-up"]:
        shop.ask("GET", page, key=False, label=f"GET {page}")
    shop.ask("GET", "/", label="GET /")
    shop.ask("GET", "/v1/%ff", label="GET /v1/%ff")
    shop.ask("GET", products, key="vk_wrong", label="GET /v1/products (wrong key)")
    if shop.weak:
        shop.ask("GET", "/v1/orders", key=shop.weak, label="GET /v1/orders (scope)")
    shop.ask("GET", products + "?limit=0", label="GET /v1/products?limit=0")
    shop.ask("GET", products + "?cursor=x", label="GET /v1/products?cursor=x")
    shop.ask("POST", products, b"{", label="POST /v1/products (broken)")
    shop.ask("POST", products, {"title": ""}, label="POST /v1/products (invalid)")
    shop.ask("POST", products, b"x", headers=text, label="POST /v1/products (text)")
    shop.ask("PATCH", one, b"x", headers=text + [("If-Match", "*")], label="PATCH /v1/products/{id} (text)")
    shop.ask("POST", products, b"x", headers=[("Content-Encoding", "br")], label="POST /v1/products (br)")
    shop.ask("POST", products, b"x" * (1 << 20 | 1), label="POST /v1/products (large)")
    shop.ask("PATCH", one, {"title": "x"}, label="PATCH /v1/products/{id} (no If-Match)")
    shop.ask("PATCH", one, {"title": "x"}, headers=[("If-Match", '"0-x"')], label="PATCH /v1/products/{id} (stale)")
    shop.ask("GET", products, headers=[("X-Long", "x" * 90_000)], label="GET /v1/products (long head)")
    shop.ask("GET", "/", raw=b"NONSENSE\r\n\r\n", label="no HTTP")
    shop.ask("GET", products, headers=[("Range", "bytes=0-9")], label="GET /v1/products (Range)")
    shop.ask("GET", one, headers=[("If-Modified-Since", "Sun, 22 Nov 2026 10:00:00 GMT")], label="GET /v1/products/{id} (since)")
    shop.ask("OPTIONS", "*", label="OPTIONS *")


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("base")
    parser.add_argument("key")
    parser.add_argument("--all", action="store_true", help="also notes of level good and info")
    parser.add_argument("--json", help="writes every answer's notes there")
    arguments = parser.parse_args()
    shop = Shop(arguments.base, arguments.key)
    _, _, content = shop.ask("GET", "/v1/openapi.json", key=False, operation="getOpenAPI")
    document = json.loads(content)
    ids = fixtures(shop)
    reads(shop, ids, document)
    problems(shop, ids)
    failed = False
    order = {"bad": 0, "warning": 1, "info": 2, "good": 3}
    for (level, name, subject, summary), labels in sorted(shop.notes.items(), key=lambda n: (order[n[0][0]], -len(n[1]))):
        if level not in ("bad", "warning") and not arguments.all:
            continue
        known = EXPECTED.get(name)
        failed |= level in ("bad", "warning") and not known
        print(f"[{level}] {name} ({subject}): {summary}\n    {len(labels)} answers: {'; '.join(dict.fromkeys(labels))[:400]}"
              + (f"\n    meant: {known}" if known else ""))
    all_ = {o["operationId"] for item in document["paths"].values() for o in item.values()}
    missing = sorted(all_ - shop.asked)
    print(f"{shop.count} answers, {len(shop.asked)} of {len(all_)} operations." + (f" Not asked: {missing}" if missing else ""))
    if arguments.json:
        with open(arguments.json, "w") as file:
            json.dump(shop.log, file, indent=1)
    return 1 if failed else 2 if missing else 0


if __name__ == "__main__":
    sys.exit(main())
