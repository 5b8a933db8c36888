# SPDX-License-Identifier: Apache-2.0
"""Clients of other people's making against a shop: Authlib, requests-oauthlib and joserfc as they come from PyPI, and the
whole code flow in a real browser, in light and dark, on a phone, by keyboard.

Arguments: the shop's address, an administrator's key, and a folder for screenshots."""
import base64
import http.server
import json
import os
import sys
import threading
import time
import urllib.parse

import requests
from authlib.common.security import generate_token
from authlib.integrations.requests_client import OAuth2Session as AuthlibSession
from joserfc import jwt
from joserfc.jwk import KeySet
from oauthlib.oauth2 import BackendApplicationClient
from requests_oauthlib import OAuth2Session as RequestsSession

# The shop in a test has no certificate.
os.environ["OAUTHLIB_INSECURE_TRANSPORT"] = "1"
BASE, KEY = sys.argv[1], sys.argv[2]
FOLDER = sys.argv[3] if len(sys.argv) > 3 else None
PASSWORD = "correct horse battery"
ADMIN = {"Authorization": f"Bearer {KEY}"}


def expect(holds, what):
    if not holds:
        raise SystemExit(f"failed: {what}")
    print("ok", what)


def register(**fields):
    body = {"name": "Label Printer", "scopes": ["openid", "email", "read:products", "read:orders"],
            "own_scopes": ["read:products"], "homepage": "https://printer.example"}
    body.update(fields)
    answer = requests.post(f"{BASE}/v1/apps", json=body, headers=ADMIN)
    answer.raise_for_status()
    return answer.json()


class Landing:
    """Where an app on a user's machine waits for the browser (RFC 8252)."""

    def __init__(self):
        landing = self
        self.came = threading.Event()

        class Handler(http.server.BaseHTTPRequestHandler):
            def do_GET(self):
                if self.path.startswith("/back"):
                    landing.address = f"http://127.0.0.1:{landing.port}{self.path}"
                self.send_response(200)
                self.send_header("Content-Type", "text/html")
                self.end_headers()
                self.wfile.write(b"<title>Back</title><h1>Back in the app</h1>")
                if self.path.startswith("/back"):
                    landing.came.set()

            def log_message(self, *_):
                pass

        self.server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.port = self.server.server_port
        threading.Thread(target=self.server.serve_forever, daemon=True).start()


def hidden(page, name):
    value = page.split(f'name="{name}" value="', 1)[1].split('"', 1)[0]
    return value.replace("&amp;", "&")


def allow(address):
    """What a person does, without a browser: signs in, allows, and is sent back."""
    visitor = requests.Session()
    page = visitor.get(address)
    page = visitor.post(f"{BASE}/sign-in", data={
        "email": "ada@example.com", "password": PASSWORD, "form_token": hidden(page.text, "form_token"),
        "then": hidden(page.text, "then")})
    if 'name="request"' not in page.text:
        raise SystemExit(f"no consent page: {page.status_code} {page.text[:300]}")
    answer = visitor.post(f"{BASE}/oauth/decision", allow_redirects=False, data={
        "form_token": hidden(page.text, "form_token"), "request": hidden(page.text, "request"), "decision": "allow"})
    return answer.headers["Location"]


def authlib():
    back = "https://app.example/back"
    app = register(redirect_uris=[back])
    metadata = requests.get(f"{BASE}/.well-known/oauth-authorization-server").json()
    client = AuthlibSession(
        app["id"], app["client_secret"], scope="openid email read:products", redirect_uri=back,
        code_challenge_method="S256", token_endpoint=metadata["token_endpoint"])
    verifier = generate_token(48)
    address, state = client.create_authorization_url(
        metadata["authorization_endpoint"], code_verifier=verifier, nonce="n1")
    location = allow(address)
    expect(f"iss={urllib.parse.quote(BASE, safe=':')}" in location, "the answer says who answers (RFC 9207)")
    token = client.fetch_token(
        metadata["token_endpoint"], authorization_response=location, code_verifier=verifier, state=state)
    expect(token["token_type"] == "Bearer" and token["refresh_token"], "Authlib: a code with PKCE brings tokens")

    keys = KeySet.import_key_set(requests.get(metadata["jwks_uri"]).json())
    access = jwt.decode(token["access_token"], keys, algorithms=["ES256"])
    expect(access.header["typ"] == "at+jwt", "joserfc: the access token is signed by the published key")
    jwt.JWTClaimsRegistry(
        iss={"essential": True, "value": BASE}, aud={"essential": True, "value": BASE},
        exp={"essential": True}, client_id={"essential": True, "value": app["id"]}).validate(access.claims)
    identity = jwt.decode(token["id_token"], keys, algorithms=["ES256"])
    jwt.JWTClaimsRegistry(
        iss={"essential": True, "value": BASE}, aud={"essential": True, "value": app["id"]},
        nonce={"essential": True, "value": "n1"}, email={"essential": True, "value": "ada@example.com"}
    ).validate(identity.claims)
    expect(True, "joserfc: claims of both tokens are as RFC 9068 and OpenID Connect want them")

    expect("RS256" in metadata["id_token_signing_alg_values_supported"], "discovery lists RS256, as OpenID Connect wants")
    usual = register(redirect_uris=[back], id_token_algorithm="RS256")
    other = AuthlibSession(usual["id"], usual["client_secret"], scope="openid", redirect_uri=back, code_challenge_method="S256")
    address, state = other.create_authorization_url(metadata["authorization_endpoint"], code_verifier=verifier, nonce="n2")
    signed = other.fetch_token(
        metadata["token_endpoint"], authorization_response=allow(address), code_verifier=verifier, state=state)["id_token"]
    keys = KeySet.import_key_set(requests.get(metadata["jwks_uri"]).json())
    claims = jwt.decode(signed, keys, algorithms=["RS256"]).claims
    expect(claims["nonce"] == "n2", "joserfc: an id token by RS256, for apps that know no other")

    expect(client.get(f"{BASE}/v1/products?limit=1").status_code == 200, "Authlib: a call in the user's name")
    expect(client.get(f"{BASE}/v1/orders").status_code == 403, "a call beyond the scope is refused")
    user = client.get(metadata["userinfo_endpoint"]).json()
    expect(user["email"] == "ada@example.com", "userinfo")
    first = dict(client.token)
    renewed = client.refresh_token(metadata["token_endpoint"], refresh_token=first["refresh_token"])
    expect(renewed["refresh_token"] != first["refresh_token"], "Authlib: a refresh token rotates")
    told = client.introspect_token(metadata["introspection_endpoint"], token=renewed["access_token"]).json()
    expect(told["active"] and told["client_id"] == app["id"], "Authlib: introspection")
    client.revoke_token(metadata["revocation_endpoint"], token=renewed["refresh_token"])
    told = client.introspect_token(metadata["introspection_endpoint"], token=renewed["access_token"]).json()
    expect(told == {"active": False}, "Authlib: revocation ends what came of it")

    machine = AuthlibSession(app["id"], app["client_secret"], token_endpoint=metadata["token_endpoint"])
    machine.fetch_token(metadata["token_endpoint"], grant_type="client_credentials")
    expect(machine.get(f"{BASE}/v1/products?limit=1").status_code == 200, "Authlib: client credentials")


def requests_oauthlib():
    back = "https://app.example/back"
    app = register(redirect_uris=[back])
    client = RequestsSession(app["id"], redirect_uri=back, scope=["read:products"], pkce="S256")
    address, _ = client.authorization_url(f"{BASE}/oauth/authorize")
    token = client.fetch_token(
        f"{BASE}/oauth/token", authorization_response=allow(address), client_secret=app["client_secret"])
    expect(token["scope"] == ["read:products"], "requests-oauthlib: a code with PKCE brings tokens")
    expect(client.get(f"{BASE}/v1/products?limit=1").status_code == 200, "requests-oauthlib: a call")
    renewed = client.refresh_token(
        f"{BASE}/oauth/token", auth=(app["id"], app["client_secret"]), refresh_token=token["refresh_token"])
    expect(renewed["access_token"] != token["access_token"], "requests-oauthlib: a refresh")
    address, headers, body = client._client.prepare_token_revocation_request(
        f"{BASE}/oauth/revoke", renewed["refresh_token"], "refresh_token")
    ended = requests.post(address, headers=headers, data=body, auth=(app["id"], app["client_secret"]))
    expect(ended.status_code == 200, "oauthlib: a revocation")
    answer = requests.get(f"{BASE}/v1/products?limit=1", headers={"Authorization": "Bearer " + renewed["access_token"]})
    expect(answer.status_code == 401, "oauthlib: what came of it has ended")
    machine = RequestsSession(client=BackendApplicationClient(app["id"]))
    machine.fetch_token(f"{BASE}/oauth/token", client_id=app["id"], client_secret=app["client_secret"])
    expect(machine.get(f"{BASE}/v1/products?limit=1").status_code == 200, "requests-oauthlib: client credentials")


def native_app(scope):
    """An app on a user's machine: where it waits, what it is, where it sends the browser, and how it fetches its tokens then."""
    landing = Landing()
    app = register(type="public", own_scopes=[], redirect_uris=["http://127.0.0.1/back"])
    client = AuthlibSession(
        app["id"], None, scope=scope, token_endpoint_auth_method="none",
        redirect_uri=f"http://127.0.0.1:{landing.port}/back", code_challenge_method="S256")
    verifier = generate_token(48)
    address, state = client.create_authorization_url(f"{BASE}/oauth/authorize", code_verifier=verifier)

    def fetch():
        return client.fetch_token(
            f"{BASE}/oauth/token", authorization_response=landing.address, code_verifier=verifier, state=state)

    return landing, app, address, fetch


def luminance(colour):
    parts = [float(part) / 255 for part in colour[colour.index("(") + 1:-1].split(",")[:3]]
    linear = [p / 12.92 if p <= 0.03928 else ((p + 0.055) / 1.055) ** 2.4 for p in parts]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]


READABLE = """() => [...document.querySelectorAll('main *')].filter(e => [...e.childNodes].some(n => n.nodeType == 3 && n.data.trim()))
  .map(e => { let g = e; while (g && getComputedStyle(g).backgroundColor == 'rgba(0, 0, 0, 0)') g = g.parentElement;
    return [e.innerText.slice(0, 40), getComputedStyle(e).color, g ? getComputedStyle(g).backgroundColor : 'rgb(255,255,255)'] })"""


def look(page, name):
    """Nothing overflows, every field is labelled, every text has the contrast of WCAG 2.2 AA."""
    expect(page.evaluate("document.documentElement.scrollWidth <= window.innerWidth"), f"{name}: nothing overflows")
    unnamed = page.evaluate(
        "[...document.querySelectorAll('input:not([type=hidden])')].filter(i => !i.labels.length && !i.ariaLabel).length")
    expect(unnamed == 0, f"{name}: every field has a label")
    for text, ink, ground in page.evaluate(READABLE):
        light, dark = sorted([luminance(ink), luminance(ground)], reverse=True)
        if (light + 0.05) / (dark + 0.05) < 4.5:
            raise SystemExit(f"failed: {name}: {text!r} is {ink} on {ground}")
    if FOLDER:
        page.screenshot(path=f"{FOLDER}/{name}.png", full_page=True)


def browser():
    from playwright.sync_api import sync_playwright
    with sync_playwright() as driver:
        chromium = driver.chromium.launch(executable_path="/usr/bin/chromium", args=["--no-sandbox"])
        for scheme, width in [("light", 1200), ("dark", 390)]:
            landing, app, address, fetch = native_app("openid read:products read:orders")
            # On the phone no page may run a script.
            context = chromium.new_context(color_scheme=scheme, viewport={"width": width, "height": 800},
                                           java_script_enabled=scheme == "light")
            page = context.new_page()
            faults = []
            page.on("console", lambda message: faults.append(message.text) if message.type == "error" else None)
            page.goto(address)
            look(page, f"sign-in-{scheme}")
            # By keyboard alone: the cursor stands in the first field.
            page.keyboard.type("ada@example.com")
            page.keyboard.press("Tab")
            page.keyboard.type("wrong horse battery")
            page.keyboard.press("Enter")
            page.wait_for_selector("[role=alert]")
            look(page, f"sign-in-wrong-{scheme}")
            faults.clear()  # The browser reports the 401.
            page.keyboard.type(PASSWORD)
            page.keyboard.press("Enter")
            page.wait_for_selector("text=wants to use")
            look(page, f"consent-{scheme}")
            page.get_by_role("button", name="Allow").focus()
            page.keyboard.press("Enter")
            page.wait_for_selector("text=Back in the app")
            expect(landing.came.wait(5), f"{scheme}: the browser comes back to the app")
            token = fetch()
            expect(token["scope"] == "openid read:products read:orders", f"{scheme}: tokens for a public app")

            begun = requests.post(f"{BASE}/oauth/device_authorization",
                                  data={"client_id": app["id"], "scope": "read:products"}).json()
            page.goto(begun["verification_uri_complete"])
            look(page, f"device-{scheme}")
            page.keyboard.press("Enter")
            page.wait_for_selector("text=on a device wants")
            look(page, f"device-consent-{scheme}")
            page.get_by_role("button", name="Allow").click()
            page.wait_for_selector("text=The device is connected")
            grant = requests.post(f"{BASE}/oauth/token", data={
                "client_id": app["id"], "device_code": begun["device_code"],
                "grant_type": "urn:ietf:params:oauth:grant-type:device_code"}).json()
            expect("access_token" in grant, f"{scheme}: tokens for a device")

            page.goto(f"{BASE}/account")
            look(page, f"account-{scheme}")
            page.locator("form[action='/account/second-factor/offer'] input[name=password]").fill(PASSWORD)
            page.get_by_role("button", name="Set it up").click()
            page.wait_for_selector("text=authenticator app")
            look(page, f"second-factor-{scheme}")
            page.goto(f"{BASE}/account")
            page.get_by_role("button", name="Remove: Label Printer").first.click()
            page.wait_for_selector("[role=status]")
            answer = requests.get(f"{BASE}/v1/products", headers={"Authorization": "Bearer " + token["access_token"]})
            expect(answer.status_code == 401, f"{scheme}: what is removed ends at once")
            expect(not faults, f"{scheme}: nothing in the browser's console {faults}")
            framed = context.new_page()
            framed.goto(landing.address.split("?")[0])
            framed.evaluate("a => document.body.innerHTML = `<iframe src='${a}'></iframe>`", address)
            framed.wait_for_timeout(300)
            inside = [f.url for f in framed.frames[1:]]
            expect(all(u.startswith("chrome-error") for u in inside), f"{scheme}: no page in a frame {inside}")
            context.close()
        chromium.close()


def selenium():
    """The code flow once more, by the other driver that people have, on a desk and on a phone."""
    from selenium import webdriver
    from selenium.common.exceptions import WebDriverException
    from selenium.webdriver.common.by import By
    from selenium.webdriver.common.keys import Keys
    from selenium.webdriver.support.ui import WebDriverWait

    for width in (1200, 390):
        landing, _, address, fetch = native_app("openid read:products")
        options = webdriver.ChromeOptions()
        options.binary_location = "/usr/bin/chromium"
        for argument in ("--headless=new", "--no-sandbox", "--disable-dev-shm-usage"):
            options.add_argument(argument)
        # Chromium's own window is no narrower than 500, so a phone is emulated.
        options.add_experimental_option(
            "mobileEmulation", {"deviceMetrics": {"width": width, "height": 800, "pixelRatio": 1, "mobile": width < 500}})
        driver = webdriver.Chrome(options, webdriver.ChromeService("/usr/bin/chromedriver"))
        try:
            def see(text):
                # Between two pages there is a moment without either.
                WebDriverWait(driver, 20, ignored_exceptions=[WebDriverException]).until(
                    lambda d: text in d.execute_script("return document.body ? document.body.innerText : ''"))
                expect(driver.execute_script("return document.documentElement.scrollWidth <= window.innerWidth"),
                       f"Selenium, {width} wide: {text!r} fits")

            driver.get(address)
            see("Sign in to")
            driver.find_element(By.NAME, "email").send_keys("ada@example.com")
            driver.find_element(By.NAME, "password").send_keys(PASSWORD, Keys.ENTER)
            see("wants to use")
            driver.find_element(By.CSS_SELECTOR, "button[value=allow]").click()
            see("Back in the app")
        finally:
            driver.quit()
        expect(landing.came.wait(5), f"Selenium, {width} wide: the browser comes back to the app")
        token = fetch()
        expect(token["scope"] == "openid read:products", f"Selenium, {width} wide: tokens for a public app")


def main():
    requests.post(f"{BASE}/v1/users", headers=ADMIN, json={
        "email": "ada@example.com", "name": "Ada Lovelace", "role": "owner", "password": PASSWORD})
    authlib()
    requests_oauthlib()
    if os.path.exists("/usr/bin/chromium"):
        browser()
    if os.path.exists("/usr/bin/chromedriver"):
        selenium()


main()
