"""A headless Chromium that reaches no network."""

import shutil
from contextlib import contextmanager

from debian import install
from selenium import webdriver
from selenium.webdriver.chrome.service import Service
from selenium.webdriver.support.ui import WebDriverWait

ARGUMENTS = (
    "--headless=new",
    "--no-sandbox",
    "--no-first-run",
    "--disable-quic",
    "--disable-sync",
    "--disable-background-networking",
    "--disable-component-update",
    "--host-resolver-rules=MAP * ~NOTFOUND",  # whoever asks for a network gets none
    "--use-angle=swiftshader",
    "--enable-unsafe-swiftshader",
    "--window-size=1500,1000",
)


@contextmanager
def started_chromium(scheme="light"):
    """Debian's Chromium, installed if it is not there, in a light or a dark colour scheme."""
    if not shutil.which("chromedriver"):
        install("chromium", "chromium-driver")
    options = webdriver.ChromeOptions()
    options.binary_location = shutil.which("chromium")
    for argument in ARGUMENTS:
        options.add_argument(argument)
    options.set_capability("goog:loggingPrefs", {"browser": "ALL"})
    browser = webdriver.Chrome(options=options, service=Service(shutil.which("chromedriver")))
    try:
        feature = {"name": "prefers-color-scheme", "value": scheme}
        browser.execute_cdp_cmd("Emulation.setEmulatedMedia", {"features": [feature]})
        yield browser
    finally:
        browser.quit()


def wait(browser, condition):
    """Until a script returns something true, which is returned."""
    return WebDriverWait(browser, 60).until(lambda _: browser.execute_script(condition))


def errors_of(browser):
    """What the console has said since it was last asked."""
    return [entry["message"] for entry in browser.get_log("browser") if entry["level"] == "SEVERE"]
