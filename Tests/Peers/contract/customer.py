# SPDX-License-Identifier: Apache-2.0
"""Prints a token that speaks for a customer, with all that customers can do. Arguments: the shop's address, an administrator's key."""
import base64
import hashlib
import json
import re
import secrets
import sys
import urllib.error
import urllib.parse
import urllib.request
from http.cookiejar import CookieJar

BASE, KEY = sys.argv[1:3]
PASSWORD = "correct horse battery"
BACK = "https://app.example/back"
SCOPES = "read:products read:customers write:customers read:carts write:carts read:orders write:orders"


def made(path, body):
    request = urllib.request.Request(
        BASE + path, json.dumps(body).encode(), {"Authorization": f"Bearer {KEY}", "Content-Type": "application/json"})
    return json.load(urllib.request.urlopen(request, timeout=10))


class Here(urllib.request.HTTPRedirectHandler):
    """Stays where it is sent to the app, which is nowhere."""

    def redirect_request(self, request, file, code, message, headers, address):
        if address.startswith(BACK):
            return None
        return super().redirect_request(request, file, code, message, headers, address)


browser = urllib.request.build_opener(urllib.request.HTTPCookieProcessor(CookieJar()), Here())


def hidden(page):
    return dict(re.findall(r'type="hidden" name="([a-z_]*)" value="([^"]*)"', page.replace("&amp;", "&")))


def sent(path, fields):
    return browser.open(BASE + path, urllib.parse.urlencode(fields).encode(), timeout=10).read().decode()


email = f"customer-{secrets.token_hex(4)}@example.com"
customer = made("/v1/customers", {"email": email, "name": "Bea"})
link = made(f"/v1/customers/{customer['id']}/account-links", {})["url"]
page = browser.open(link, timeout=10).read().decode()
sent("/account-link", hidden(page) | {"password": PASSWORD})
app = made("/v1/apps", {"name": "Till", "people": "customers", "redirect_uris": [BACK], "scopes": SCOPES.split(), "tier": "trusted"})

verifier = secrets.token_urlsafe(48)
challenge = base64.urlsafe_b64encode(hashlib.sha256(verifier.encode()).digest()).rstrip(b"=").decode()
query = {"response_type": "code", "client_id": app["id"], "redirect_uri": BACK, "scope": SCOPES, "state": "s",
         "code_challenge": challenge, "code_challenge_method": "S256"}
page = browser.open(BASE + "/oauth/authorize?" + urllib.parse.urlencode(query), timeout=10).read().decode()
if 'name="password"' in page:
    page = sent("/sign-in", hidden(page) | {"email": email, "password": PASSWORD})
try:
    sent("/oauth/decision", hidden(page) | {"decision": "allow"})
    raise SystemExit("The shop did not send the customer back to the app.")
except urllib.error.HTTPError as answer:
    code = dict(urllib.parse.parse_qsl(urllib.parse.urlsplit(answer.headers["Location"]).query))["code"]
form = {"grant_type": "authorization_code", "code": code, "redirect_uri": BACK, "code_verifier": verifier,
        "client_id": app["id"], "client_secret": app["client_secret"]}
token = urllib.request.urlopen(BASE + "/oauth/token", urllib.parse.urlencode(form).encode(), timeout=10)
print(json.load(token)["access_token"])
