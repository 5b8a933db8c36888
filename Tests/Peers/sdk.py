# SPDX-License-Identifier: Apache-2.0
"""What a developer does first, with the generated Python client: registers an app, has it let in by somebody, lists, orders,
renews and revokes.

Arguments: the shop's address, an administrator's key, and the mail address and password of somebody who works there."""
import base64
import hashlib
import re
import secrets
import sys
import urllib.parse

import requests
import vitrine_client
from vitrine_client.exceptions import ForbiddenException, NotFoundException, UnauthorizedException

BASE, KEY, EMAIL, PASSWORD = sys.argv[1:]
BACK = "http://127.0.0.1:1/back"


def expect(holds, what):
    if not holds:
        raise SystemExit(f"failed: {what}")
    print("ok", what)


def client(token):
    return vitrine_client.ApiClient(vitrine_client.Configuration(host=BASE, access_token=token))


def hidden(page):
    return {name: value.replace("&amp;", "&")
            for name, value in re.findall(r'name="(\w+)" value="([^"]*)"', page.text) if name != "decision"}


def let_in(app, scope):
    """What a person does in a browser; the code that the app gets."""
    verifier = secrets.token_urlsafe(48)
    challenge = base64.urlsafe_b64encode(hashlib.sha256(verifier.encode()).digest()).rstrip(b"=").decode()
    asked = urllib.parse.urlencode({
        "response_type": "code", "client_id": app.id, "redirect_uri": BACK, "scope": scope, "state": "s",
        "code_challenge": challenge, "code_challenge_method": "S256"})
    browser = requests.Session()
    page = browser.get(f"{BASE}/oauth/authorize?{asked}")
    page = browser.post(f"{BASE}/sign-in", data={**hidden(page), "email": EMAIL, "password": PASSWORD})
    answer = browser.post(f"{BASE}/oauth/decision", data={**hidden(page), "decision": "allow"}, allow_redirects=False)
    code = urllib.parse.parse_qs(urllib.parse.urlsplit(answer.headers["Location"]).query)["code"][0]
    return code, verifier


def token(app, **fields):
    return requests.post(f"{BASE}/oauth/token", data=fields, auth=(app.id, app.client_secret))


apps = vitrine_client.AppsApi(client(KEY))
app = apps.create_app(vitrine_client.AppInput(
    name="Generated", redirect_uris=[BACK], scopes=["read:products", "write:orders", "read:orders"]))
expect(app.client_secret, "an app is registered")
code, verifier = let_in(app, "read:products write:orders read:orders")
granted = token(app, grant_type="authorization_code", code=code, redirect_uri=BACK, code_verifier=verifier).json()
expect(granted["scope"] == "read:products read:orders write:orders", "and let in by somebody")

api = client(granted["access_token"])
me = vitrine_client.MeApi(api).get_caller()
expect(me.user_id.startswith("usr_"), "the token says in whose name it is")
page = vitrine_client.ProductsApi(api).list_products(in_stock=True, expand=["variants"], limit=5)
expect(len(page.items) == 5 and page.next, "products are listed, a page at a time")
following = urllib.parse.parse_qs(urllib.parse.urlsplit(page.next).query)["cursor"][0]
more = vitrine_client.ProductsApi(api).list_products(in_stock=True, expand=["variants"], limit=5, cursor=following)
expect(not {p.id for p in page.items} & {p.id for p in more.items}, "and the next page is another one")

orders = vitrine_client.OrdersApi(api)
wish = vitrine_client.OrderInput(
    currency="GBP", lines=[vitrine_client.OrderLineInput(sku=page.items[0].variants[0].sku, quantity=1)],
    payment=vitrine_client.PaymentInput(card="sandbox_approve"))
order = orders.place_order(wish, idempotency_key="generated-1")
expect(order.status == "paid" and order.totals.total.amount > 0, "an order is placed and paid")
expect(orders.place_order(wish, idempotency_key="generated-1").id == order.id, "sent again, it is the same")
expect(orders.get_order(order.id).number == order.number, "and read")
try:
    orders.get_order("ord_00000000000000000000000000")
    raise SystemExit("failed: there is no such order")
except NotFoundException as problem:
    expect('"code":"not_found"' in problem.body, "what there is not is a typed error with its problem")
try:
    vitrine_client.CustomersApi(api).list_customers()
    raise SystemExit("failed: nobody let it see customers")
except ForbiddenException as problem:
    expect("read:customers" in problem.body, "what it was not let do names the scope")

renewed = token(app, grant_type="refresh_token", refresh_token=granted["refresh_token"]).json()
api = client(renewed["access_token"])
expect(vitrine_client.OrdersApi(api).get_order(order.id).id == order.id, "a renewed token goes on")
requests.post(f"{BASE}/oauth/revoke", data={"token": renewed["refresh_token"]}, auth=(app.id, app.client_secret)).raise_for_status()
try:
    vitrine_client.OrdersApi(api).get_order(order.id)
    raise SystemExit("failed: the token was revoked")
except UnauthorizedException:
    print("ok revoked, it is worth nothing")
expect(token(app, grant_type="refresh_token", refresh_token=renewed["refresh_token"]).status_code == 400, "nor renewed")
