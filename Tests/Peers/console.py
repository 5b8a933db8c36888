# SPDX-License-Identifier: Apache-2.0
"""Goes through the console in a real browser: in light and dark, on a phone, by keyboard, live, and without scripts.

    console.py ADDRESS [FOLDER]

Sends telemetry of three services to the observatory at ADDRESS, and leaves screenshots in FOLDER. Prints what is wrong, one line each."""

import json
import sys
import time
import urllib.request

from playwright.sync_api import sync_playwright

BASE, FOLDER = sys.argv[1], sys.argv[2] if len(sys.argv) > 2 else None
TRACE = "4bf92f3577b34da6a3ce929d0e0e4736"
PAGES = ["overview", "services", "services/shop", "traces", "traces?by=http.route", f"traces/{TRACE}", "logs", "metrics",
         "metrics?query=traces_spanmetrics_calls_total", "journeys", "storage"]
faults = []


def check(holds, words):
    if not holds:
        faults.append(words)


def send(signal, body):
    request = urllib.request.Request(
        f"{BASE}/v1/{signal}", json.dumps(body).encode(), {"Content-Type": "application/json"})
    urllib.request.urlopen(request).read()


def attributes(**pairs):
    return [{"key": name.replace("_", "."), "value": {"stringValue": value}} for name, value in pairs.items()]


def resource(service):
    return {"attributes": attributes(service_name=service)}


def span(trace, number, parent, name, kind, start, length, failed=False, **pairs):
    return {"traceId": trace, "spanId": f"{number:016x}", "parentSpanId": f"{parent:016x}" if parent else "", "name": name,
            "kind": kind, "startTimeUnixNano": str(start), "endTimeUnixNano": str(start + length),
            "attributes": attributes(**pairs), "status": {"code": 2 if failed else 0}}


def fill():
    """A hundred orders, one in ten of which the payments service does not answer."""
    now = time.time_ns() - 120 * 10**9
    spans = {"shop": [], "payments": [], "mail": []}
    for number in range(100):
        trace = TRACE if number == 0 else f"{number + 1:032x}"
        start, failed = now + number * 10**9, number % 10 == 0
        spans["shop"] += [
            span(trace, 1, 0, "POST /v1/orders", 2, start, 90_000_000 + number * 10**6, http_route="/v1/orders"),
            span(trace, 2, 1, "INSERT orders", 3, start + 10**6, 3_000_000, db_system_name="postgresql"),
            span(trace, 3, 1, "charge", 3, start + 5 * 10**6, 70_000_000, failed),
            span(trace, 5, 1, "publish order.placed", 4, start + 80 * 10**6, 10**6)]
        spans["payments"].append(span(trace, 4, 3, "POST /charges", 2, start + 8 * 10**6, 60_000_000, failed))
        spans["mail"].append(span(trace, 6, 5, "send receipt", 5, start + 82 * 10**6, 30_000_000))
    for service, list_of_spans in spans.items():
        send("traces", {"resourceSpans": [{"resource": resource(service), "scopeSpans": [{"spans": list_of_spans}]}]})
    say("payments", "the card network does not answer", now, 17)


def say(service, text, at=None, severity=9):
    record = {"timeUnixNano": str(at or time.time_ns()), "severityNumber": severity, "body": {"stringValue": text},
              "traceId": TRACE, "spanId": f"{4:016x}", "attributes": attributes(attempt="3")}
    send("logs", {"resourceLogs": [{"resource": resource(service), "scopeLogs": [{"logRecords": [record]}]}]})


# Colours as they are shown, over whatever is behind them (WCAG 2.2, 1.4.3).
CONTRAST = """() => {
  const number = (text) => text.match(/[\\d.]+/g).map(Number);
  const light = ([r, g, b]) => [r, g, b].map((part) => part / 255)
    .map((part) => part <= 0.03928 ? part / 12.92 : ((part + 0.055) / 1.055) ** 2.4)
    .reduce((sum, part, place) => sum + part * [0.2126, 0.7152, 0.0722][place], 0);
  const behind = (element) => {
    for (; element; element = element.parentElement) {
      const colour = number(getComputedStyle(element).backgroundColor);
      if (colour.length < 4 || colour[3] === 1) return colour;
    }
    return [255, 255, 255];
  };
  const poor = new Set();
  for (const element of document.querySelectorAll("h1, h2, a, p, td, th, caption, small, label span, .state, dt, dd, summary span, summary time, figcaption span, .y span, .x span, button")) {
    if (!element.checkVisibility() || element.closest(".alike") || ![...element.childNodes].some((node) => node.nodeType === 3 && node.textContent.trim())) continue;
    const [a, b] = [light(number(getComputedStyle(element).color)), light(behind(element))];
    const ratio = (Math.max(a, b) + 0.05) / (Math.min(a, b) + 0.05);
    if (ratio < 4.5) poor.add(`${element.tagName}.${element.className} ${ratio.toFixed(2)}`);
  }
  return [...poor];
}"""


def look(browser, name, width, height, scheme):
    context = browser.new_context(viewport={"width": width, "height": height}, color_scheme=scheme)
    page = context.new_page()
    page.on("console", lambda message: message.type == "error" and faults.append(f"{name} {page.url}: {message.text}"))
    page.on("pageerror", lambda error: faults.append(f"{name} {page.url}: {error}"))
    for path in PAGES:
        page.goto(f"{BASE}/console/{path}")
        page.wait_for_timeout(150)
        where = f"{name} {path}"
        check(page.locator("h1").count() == 1 and page.locator("main").count() == 1, f"{where}: no heading of its own")
        check(page.evaluate("document.documentElement.scrollWidth") <= width, f"{where}: wider than the window")
        check("cannot be shown" not in page.content(), f"{where}: a part cannot be shown")
        for poor in page.evaluate(CONTRAST):
            faults.append(f"{where}: too little contrast: {poor}")
        unnamed = "[...document.querySelectorAll('input:not([type=hidden]), select, textarea')].filter((field) => !field.labels.length).length"
        check(page.evaluate(unnamed) == 0, f"{where}: a field without a name")
        if FOLDER:
            page.screenshot(path=f"{FOLDER}/{path.replace('/', '-').replace('?', '-')[:24]}-{name}.png", full_page=True)
    context.close()


def keys(browser):
    page = browser.new_page()
    page.goto(f"{BASE}/console/traces/{TRACE}")
    check(page.locator("details.waited").count() >= 3, "the waterfall shows no critical path")
    page.keyboard.press("e")
    check(page.locator("details.failed[open]").count() == 1, "'e' opens no failed span")
    check("the card network does not answer" in page.inner_text("main"), "no log line beside its span")
    page.goto(f"{BASE}/console/services/shop")
    plot = page.locator("[data-chart]").first
    plot.focus()
    page.keyboard.press("ArrowLeft")
    check(plot.locator(".tip").count() == 1, "a chart says no numbers by keyboard")
    page.goto(f"{BASE}/console/metrics")
    page.keyboard.press("/")
    check(page.evaluate("document.activeElement.name") == "query", "'/' does not lead to the form")
    page.keyboard.type("rate(spanmetrics_cal")
    page.wait_for_selector("#complete li")
    page.keyboard.press("Enter")
    check(page.input_value("textarea") == "rate(traces_spanmetrics_calls_total", "PromQL is not completed")
    page.keyboard.type("[1m])")
    page.keyboard.press("Enter")
    page.wait_for_url("**query=rate*")
    check(page.locator("[data-chart]").count() == 1, "the query that was typed is not drawn")
    page.goto(f"{BASE}/console/traces?errors=1&service=payments")
    check(page.locator("tbody tr").count() == 10, "not all failed traces are found")
    page.locator("tbody a").first.click()
    page.wait_for_url("**/traces/*")
    check(page.locator("details.failed").count() == 2, "a trace that was clicked does not open")
    page.goto(f"{BASE}/console/services")
    for name in ["shop", "payments", "mail", "postgresql"]:
        check(page.locator(f"svg.map text.name:text-is('{name}')").count() == 1, f"the map lacks {name}")
    page.close()


def live(browser):
    page = browser.new_page()
    page.goto(f"{BASE}/console/logs")
    page.locator("details.line summary").first.click()
    page.wait_for_timeout(300)
    # A section in which somebody is, is left alone.
    page.evaluate("document.activeElement.blur()")
    say("shop", "beans are low")
    try:
        page.wait_for_selector("text=beans are low", timeout=15_000)
        check(page.locator("details.line[open]").count() == 1, "a line that was open is closed by what is new")
    except Exception:
        faults.append("a log line does not appear by itself")
    page.close()


def plain(browser):
    context = browser.new_context(java_script_enabled=False)
    page = context.new_page()
    page.goto(f"{BASE}/console/traces/{TRACE}")
    page.locator("details.span summary").nth(1).click()
    check(page.locator("details.span[open] dl").count() >= 1, "without scripts a span does not open")
    context.close()


with sync_playwright() as playwright:
    chromium = playwright.chromium.launch(executable_path="/usr/bin/chromium", args=["--no-sandbox"])
    fill()
    # Rates need two readings of what is counted.
    deadline = time.time() + 60
    while time.time() < deadline:
        answer = json.load(urllib.request.urlopen(f"{BASE}/api/v1/query?query=rate(traces_service_graph_request_total[1m])"))
        if len(answer["data"]["result"]) >= 4:
            break
        time.sleep(0.5)
    look(chromium, "light", 1360, 900, "light")
    look(chromium, "dark", 1360, 900, "dark")
    look(chromium, "phone", 390, 844, "light")
    keys(chromium)
    live(chromium)
    plain(chromium)
    chromium.close()
print("\n".join(dict.fromkeys(faults)))
sys.exit(1 if faults else 0)
