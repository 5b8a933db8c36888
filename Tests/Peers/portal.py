# SPDX-License-Identifier: Apache-2.0
"""A developer who has never spoken to the shop, in a real browser: signs up by the link in a letter, registers an app, follows the guide command by
command as it stands on the page, tries operations from the reference, and looks at every page on a phone.

Arguments: the shop's address, the folder that letters come to, and one for screenshots."""
import email
import email.policy
import glob
import json
import re
import subprocess
import sys
import tempfile
import time
import urllib.parse

from playwright.sync_api import sync_playwright

BASE = sys.argv[1]
MAILBOX = sys.argv[2]
FOLDER = sys.argv[3] if len(sys.argv) > 3 else None
PASSWORD = "correct horse battery"


def expect(holds, what):
    if not holds:
        raise SystemExit(f"failed: {what}")
    print("ok", what)


def shot(page, name):
    if FOLDER:
        page.screenshot(path=f"{FOLDER}/{name}.png", full_page=True)


def newest_letter():
    for _ in range(100):
        letters = sorted(glob.glob(f"{MAILBOX}/letter.*"))
        if letters:
            with open(letters[-1], "rb") as file:
                return email.message_from_binary_file(file, policy=email.policy.default)
        time.sleep(0.1)
    raise SystemExit("failed: no letter came")


def sign_up(page):
    page.goto(f"{BASE}/developers")
    shot(page, "start")
    page.click("text=Sign up")
    page.fill("[name=name]", "Ann Other")
    page.fill("[name=email]", "ann@example.com")
    expect(page.locator("[name=password]").count() == 0, "nobody chooses a password for an address that may be another's")
    shot(page, "sign-up")
    page.click("button")
    page.wait_for_selector("text=Look into your mailbox")
    shot(page, "sent")
    letter = newest_letter()
    expect(letter["To"].addresses[0].addr_spec == "ann@example.com" and "account" in letter["Subject"], "the letter goes where it should")
    page.goto(re.search(r"http\S+", letter.get_content()).group())
    page.fill("[name=password]", PASSWORD)
    shot(page, "choose")
    page.click("button")
    page.fill("[name=email]", "ann@example.com")
    page.fill("[name=password]", PASSWORD)
    page.click("button")
    expect(urllib.parse.urlparse(page.url).path == "/developers/apps", "whoever signs up is at their apps")


def register(page):
    page.fill("[name=name]", "Other & Co")
    page.click("text=Make it")
    page.click("text=Register an app")
    page.fill("[name=name]", "Label Printer")
    page.fill("[name=redirect_uris]", "https://printer.example/back")
    for scope in ["read:products", "read:orders", "write:orders"]:
        page.check(f"[value='{scope}']")
    shot(page, "new-app")
    page.click("text=Register it")
    expect(page.locator("code.key").inner_text().startswith("vs_"), "the secret is shown")
    shot(page, "app")


def follow_the_guide(page):
    page.goto(f"{BASE}/developers")
    samples = page.locator("pre code.sample").all_inner_texts()
    expect(len(samples) >= 5 and "vs_test_" in samples[0], "the guide is filled in")
    shot(page, "guide")
    # The sandbox hears of an app within a second.
    time.sleep(2)
    with tempfile.TemporaryDirectory() as folder:
        run = subprocess.run(
            ["bash", "-euo", "pipefail", "-c", "\n".join(samples)], cwd=folder, capture_output=True, text=True)
    expect(run.returncode == 0, f"every command of the guide runs: {run.stdout[-2000:]} {run.stderr[-2000:]}")
    problem = json.loads(run.stdout[run.stdout.rindex("{"):])
    expect(problem["status"] == 402 and problem["code"] == "payment_declined", "the order that was to fail failed")
    before = run.stdout[:run.stdout.rindex("{")].split()
    expect(len(before) > 2 and before[-1] == before[-2], "the same order was placed once")


def try_operations(page):
    page.goto(f"{BASE}/developers/reference")
    shot(page, "reference")
    page.goto(f"{BASE}/developers/reference/listProducts")
    page.fill("[name=limit]", "2")
    page.click("#try button")
    page.wait_for_selector("#answer .notice")
    expect("200 after" in page.locator("#answer .notice").inner_text(), "products are listed from the page")
    expect('"items"' in page.locator("#answer pre").inner_text(), "the answer is shown")
    shot(page, "try-list")
    page.goto(f"{BASE}/developers/reference/getOrder")
    page.fill("[name=id]", "ord_01k9x3c5v8q2e6m4n7p0r1s2t3")
    page.click("#try button")
    page.wait_for_selector("#answer .notice")
    expect("404 after" in page.locator("#answer .notice").inner_text(), "what is not there is told, too")
    page.goto(f"{BASE}/developers/reference/listOwnRequests")
    told = lambda one: one["route"] == "/v1/orders/{id}" and one["problem"] == "not_found"
    # Requests are written down a second later, or on a busy machine a few.
    for _ in range(20):
        time.sleep(1.5)
        page.click("#try button")
        page.wait_for_selector("#answer .notice")
        text = page.locator("#answer pre").inner_text()
        found = [one for one in json.loads(text[text.index("{"):])["items"] if told(one)]
        if found:
            break
    expect(found and len(found[0]["trace_id"]) == 32, "what the app has asked is found in the sandbox")
    page.goto(f"{BASE}/developers/reference/placeOrder")
    body = json.loads(page.input_value("[name=body]"))
    expect(body["payment"] == {"card": "sandbox_approve"}, "the example pays with a card that pays")
    page.click("#try button")
    page.wait_for_selector("#answer .notice")
    expect("422 after" in page.locator("#answer .notice").inner_text(), "an order of what is not sold is refused")
    shot(page, "try-order")
    page.fill("[name=client_secret]", "vs_test_wrong")
    page.click("#try button")
    page.wait_for_selector("#answer .notice.wrong >> text=No token")
    expect(True, "a wrong secret is said to be one")


def look(browser, state):
    """Every page fits a phone, by its width and by names for what is filled in."""
    page = browser.new_page(
        viewport={"width": 390, "height": 844}, color_scheme="dark", storage_state=state)
    page.goto(f"{BASE}/developers/apps")
    app = page.locator("ul.rows a").first.get_attribute("href")
    organization = page.locator("h2 a").first.get_attribute("href")
    for name, path in [
        ("start", "/developers"), ("apps", "/developers/apps"), ("app", app), ("organization", organization),
        ("new", "/developers/apps/new"), ("requests", app + "/requests"), ("reference", "/developers/reference"),
        ("operation", "/developers/reference/placeOrder"), ("problems", "/problems"),
        ("problem", "/problems/out-of-stock"), ("changelog", "/changelog"), ("sign-up", "/sign-up"),
    ]:
        page.goto(BASE + path)
        width = page.evaluate("document.documentElement.scrollWidth")
        expect(width <= 390, f"{name} is {width} wide on a phone")
        nameless = page.evaluate(
            "[...document.querySelectorAll('input:not([type=hidden]), textarea, select')].filter(e => !e.labels.length).length")
        expect(nameless == 0 and page.locator("h1").count() == 1, f"{name} has a heading, and names for what is filled in")
        shot(page, f"phone-{name}")


with sync_playwright() as playwright:
    browser = playwright.chromium.launch(executable_path="/usr/bin/chromium", args=["--no-sandbox"])
    context = browser.new_context(viewport={"width": 1100, "height": 900})
    page = context.new_page()
    faults = []
    page.on("pageerror", lambda error: faults.append(str(error)))
    page.on("console", lambda line: faults.append(line.text) if "Content Security Policy" in line.text else None)
    sign_up(page)
    register(page)
    follow_the_guide(page)
    try_operations(page)
    look(browser, context.storage_state())
    expect(not faults, f"no script failed and nothing was forbidden: {faults}")
    browser.close()
