#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
"""A real browser in front of the portal: what a held customer sees and does.

usage: browser.py SCREENS ADDRESS [REAL]
       browser.py SCREENS ADDRESS --pages NAME...

SCREENS: folder for the pictures. ADDRESS: every name leads there ("127.0.0.1:8080"). REAL: text that
the real site shows after the release; without it the portal is asked again. --pages: only look, at http://pages.example/NAME.html.

Looks at each state of the page on a desk and on a phone, light and dark: contrast, labels, language,
headings, weight, requests, overflow, errors. Then uses it by keyboard alone. Prints TAP.
"""
import sys
import time

from selenium import webdriver
from selenium.webdriver.chrome.options import Options
from selenium.webdriver.chrome.service import Service
from selenium.webdriver.common.by import By
from selenium.webdriver.common.keys import Keys

DESK = (1280, 900, False)
PHONE = (390, 844, True)
BYTES_MAX = 50 * 1024
CONTRAST_MIN = 4.5
TAP_TARGET_PX = 44
RELEASED_S = 30  # the portal's connections are led so long after a release

# WCAG 2.1: contrast of each visible text against the backgrounds it lies on, blended downwards.
CONTRAST = """
const parse = c => { const m = c.match(/[0-9.]+/g).map(Number); return m.length < 4 ? [...m, 1] : m; };
const over = (a, b) => [0, 1, 2].map(i => a[i] * a[3] + b[i] * (1 - a[3])).concat(1);
const lum = c => { const v = c.slice(0, 3).map(x => (x /= 255) <= .03928 ? x / 12.92 : ((x + .055) / 1.055) ** 2.4);
  return .2126 * v[0] + .7152 * v[1] + .0722 * v[2]; };
const back = e => { const layers = []; for (; e; e = e.parentElement) layers.push(parse(getComputedStyle(e).backgroundColor));
  return layers.reverse().reduce((b, l) => over(l, b), matchMedia('(prefers-color-scheme: dark)').matches ? [18, 18, 18, 1] : [255, 255, 255, 1]); };
const walker = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
let worst = [99, ''], n = 0;
while (walker.nextNode()) {
  const text = walker.currentNode.data.trim(), e = walker.currentNode.parentElement;
  if (!text || !e.getClientRects().length) continue;
  const b = back(e), f = over(parse(getComputedStyle(e).color), b), a = [lum(b), lum(f)].sort((x, y) => y - x);
  const ratio = (a[0] + .05) / (a[1] + .05);
  n++;
  if (ratio < worst[0]) worst = [ratio, text.slice(0, 40)];
}
return [worst[0], worst[1], n];
"""

LABELS = """
const name = e => (e.getAttribute('aria-label') || (e.labels && [...e.labels].map(l => l.innerText).join(' ')) ||
  (e.tagName === 'INPUT' ? '' : e.innerText) || '').trim();
return [...document.querySelectorAll('a[href],button,input:not([type=hidden]),select,textarea,summary')]
  .filter(e => !name(e)).map(e => e.outerHTML.slice(0, 80));
"""

SHAPE = """
const h = [...document.querySelectorAll('h1,h2,h3,h4,h5,h6')].filter(e => e.getClientRects().length)
  .map(e => Number(e.tagName[1]));
return { lang: document.documentElement.lang, title: document.title,
  h1: h.filter(l => l === 1).length, skips: h.some((l, i) => i && l > h[i - 1] + 1) || h[0] !== 1,
  main: document.querySelectorAll('main').length, scripts: document.scripts.length,
  viewport: !!document.querySelector('meta[name=viewport]'),
  wide: document.documentElement.scrollWidth > document.documentElement.clientWidth,
  bytes: performance.getEntriesByType('navigation')[0].encodedBodySize,
  others: performance.getEntriesByType('resource').length };
"""

run = failed = 0


def ok(good, name, detail=""):
    global run, failed
    run += 1
    failed += not good
    print(f"{'' if good else 'not '}ok {run} - {name}", flush=True)
    if not good and detail != "":
        print(f"# {detail}", flush=True)
    return good


def open_browser(address, language):
    options = Options()
    for word in ("--headless=new", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage",
                 "--no-first-run", "--disable-background-networking", "--disable-component-update",
                 "--disable-sync", "--no-proxy-server", "--disable-features=HttpsUpgrades,HttpsFirstBalancedModeAutoEnable",
                 f"--lang={language}", "--hide-scrollbars"):
        options.add_argument(word)
    options.add_argument(f"--host-resolver-rules=MAP * {address}")
    options.add_experimental_option("prefs", {"intl.accept_languages": language})
    options.set_capability("goog:loggingPrefs", {"browser": "ALL"})
    browser = webdriver.Chrome(options=options, service=Service("/usr/bin/chromedriver"))
    browser.set_page_load_timeout(20)
    return browser


def resize(browser, shape, dark=False):
    width, height, mobile = shape
    browser.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", {
        "width": width, "height": height, "deviceScaleFactor": 2 if mobile else 1, "mobile": mobile})
    browser.execute_cdp_cmd("Emulation.setEmulatedMedia", {
        "features": [{"name": "prefers-color-scheme", "value": "dark" if dark else "light"}]})


def picture(browser, screens, name):
    """The whole page, however long."""
    import base64
    size = browser.execute_cdp_cmd("Page.getLayoutMetrics", {})["cssContentSize"]
    shot = browser.execute_cdp_cmd("Page.captureScreenshot", {
        "captureBeyondViewport": True,
        "clip": {"x": 0, "y": 0, "width": size["width"], "height": size["height"], "scale": 1}})
    with open(f"{screens}/{name}.png", "wb") as out:
        out.write(base64.b64decode(shot["data"]))


def look(browser, screens, name, language):
    """Every check that holds for every page, in four shapes; one picture each."""
    for shape, where in ((DESK, "desk"), (PHONE, "phone")):
        for dark in (False, True):
            label = f"{name}-{where}{'-dark' if dark else ''}"
            resize(browser, shape, dark)
            picture(browser, screens, label)
            ratio, text, n = browser.execute_script(CONTRAST)
            ok(n > 3 and ratio >= CONTRAST_MIN, f"{label}: contrast at least {CONTRAST_MIN}",
               f"{ratio:.2f} at '{text}' of {n} texts")
            page = browser.execute_script(SHAPE)
            ok(not page["wide"], f"{label}: nothing sticks out")
    resize(browser, DESK)
    ok(page["lang"] == language, f"{name}: lang is {language}", page["lang"])
    ok(page["title"] and page["h1"] == 1 and not page["skips"] and page["main"] == 1 and page["viewport"],
       f"{name}: title, one h1, headings in order, main, viewport", page)
    ok(page["scripts"] == 0 and page["others"] == 0, f"{name}: no script, one request", page)
    ok(0 < page["bytes"] < BYTES_MAX, f"{name}: less than 50 KB", page["bytes"])
    missing = browser.execute_script(LABELS)
    ok(not missing, f"{name}: every control is labelled", missing)
    errors = [e["message"] for e in browser.get_log("browser") if "favicon" not in e["message"]
              and "status of 403" not in e["message"] and "status of 503" not in e["message"]]
    ok(not errors, f"{name}: no error in the browser's console", errors)


def heading(browser):
    return browser.find_element(By.TAG_NAME, "h1").text


def tab_to(browser, selector):
    """Only the keyboard; False if it is not reached."""
    browser.find_element(By.TAG_NAME, "body").click()
    for _ in range(20):
        browser.switch_to.active_element.send_keys(Keys.TAB)
        if browser.execute_script("return document.activeElement.matches(arguments[0])", selector):
            return True
    return False


def wait_for(browser, text):
    end = time.time() + 10
    while time.time() < end:
        if text in browser.page_source:
            return True
        time.sleep(0.1)
    return False


def visit_in_german(screens, address):
    browser = open_browser(address, "de")
    try:
        browser.get("http://www.example.org/news.html?id=1&x=2")
        ok("Quarantäne" in heading(browser), "german: the page", heading(browser))
        look(browser, screens, "german", "de")
    finally:
        browser.quit()


def stays_free(browser, real):
    """While the portal still has connections of the time before, and after: nothing of it comes back."""
    begin = time.time()
    asked = 0
    while time.time() - begin < RELEASED_S + 3:
        asked += 1
        browser.get(f"http://www.example.org/news.html?again={asked}")
        if real not in browser.page_source:
            ok(False, "free for good", f"{time.time() - begin:.1f} s later: {browser.page_source[:200]}")
            return
        time.sleep(2)
    ok(asked > 5, f"free for good: {asked} more requests in {RELEASED_S + 3} s reach the real site", asked)


def visit(screens, address, real):
    way = "way-" if real else ""
    browser = open_browser(address, "en")
    try:
        resize(browser, DESK)
        browser.get("http://www.example.org/news.html?id=1&x=2")
        ok("quarantine" in heading(browser), "any http address leads to the page", heading(browser))
        ok(browser.current_url.startswith("http://quarantine.example.net/"), "under the portal's own name",
           browser.current_url)
        look(browser, screens, f"{way}held", "en")
        resize(browser, PHONE)
        button = browser.find_element(By.CSS_SELECTOR, "form button")
        ok(button.size["height"] >= TAP_TARGET_PX, f"the button is at least {TAP_TARGET_PX} px high", button.size)
        ok(tab_to(browser, "form button"), "Tab reaches the button")
        picture(browser, screens, f"{way}held-phone-focus")
        browser.switch_to.active_element.send_keys(Keys.ENTER)
        ok(wait_for(browser, "free again"), "Enter releases", heading(browser))
        look(browser, screens, f"{way}released", "en")
        link = browser.find_element(By.CSS_SELECTOR, "a.button")
        ok(link.get_attribute("href") == "http://www.example.org/news.html?id=1&x=2", "the way back is kept",
           link.get_attribute("href"))
        link.click()
        if real:
            ok(wait_for(browser, real), "the very next request reaches the real site", browser.page_source[:200])
            picture(browser, screens, "way-real-site")
            stays_free(browser, real)
        else:
            ok(wait_for(browser, "is not restricted"), "asked again, it says that he is free", heading(browser))
            look(browser, screens, "free", "en")
            browser.back()
    finally:
        browser.quit()


def look_at_pages(screens, address, names):
    browser = open_browser(address, "en")
    try:
        for name in names:
            browser.get(f"http://pages.example/{name}.html")
            look(browser, screens, f"page-{name}", "de" if name.endswith("-de") else "en")
    finally:
        browser.quit()


def main():
    screens, address = sys.argv[1:3]
    if sys.argv[3:4] == ["--pages"]:
        look_at_pages(screens, address, sys.argv[4:])
        print(f"1..{run}")
        return failed != 0
    real = sys.argv[3] if len(sys.argv) > 3 else ""
    if not real:
        visit_in_german(screens, address)
    visit(screens, address, real)
    print(f"1..{run}")
    return failed != 0


sys.exit(main())
