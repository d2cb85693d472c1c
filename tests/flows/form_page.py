"""The form of a deployment in Prefect's UI, filled in by hand in headless Chromium."""

import shutil
from collections.abc import Iterator
from contextlib import contextmanager, suppress

from selenium import webdriver
from selenium.common.exceptions import TimeoutException
from selenium.webdriver.common.by import By
from selenium.webdriver.common.keys import Keys
from selenium.webdriver.remote.webelement import WebElement
from selenium.webdriver.support.expected_conditions import url_contains
from selenium.webdriver.support.wait import WebDriverWait

PATIENCE, TRIES = 90.0, 4
# fmt: off
QUIET = ("--headless=new", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage", "--disable-quic", "--no-first-run",
         "--disable-background-networking", "--disable-component-update", "--disable-sync", "--window-size=1300,3000")
# fmt: on


class FormPage:
    """A browser that is logged in to the Prefect server at `url`."""

    def __init__(self, driver: webdriver.Chrome, url: str, login: str) -> None:
        self.driver, self.url = driver, url
        self.wait = WebDriverWait(driver, PATIENCE)
        driver.get(f"{url}/v2/login")
        self._found(By.TAG_NAME, "input").send_keys(login, Keys.ENTER)
        self.wait.until(lambda driver: "/login" not in driver.current_url)

    def open(self, deployment: str) -> None:
        """The form of a deployment's run with values of one's own."""
        self.driver.get(f"{self.url}/v2/deployments/deployment/{deployment}/run")
        self.field("Recipe")

    def field(self, label: str) -> WebElement:
        """The part of the form that a label heads."""
        labelled = f"//label[starts-with(normalize-space(.), '{label} ')]"
        return self._found(By.XPATH, f"{labelled}/ancestor::div[contains(@class, 'group')][1]")

    def type_into(self, label: str, kind: str, text: str) -> None:
        """Give a field that is None a value."""
        self._tab(label, kind)
        box = self.wait.until(lambda _: self.field(label).find_elements(By.XPATH, ".//input | .//textarea"))[
            0
        ]
        box.clear()
        box.send_keys(text)

    def choose(self, label: str, word: str) -> None:
        """Give a field that is None one of its words."""
        self._tab(label, "str")
        listed = ".//button[@aria-haspopup='listbox']"
        self.wait.until(lambda _: self.field(label).find_elements(By.XPATH, listed))[0].click()
        self._found(By.XPATH, f"//*[@role='option'][normalize-space(.)='{word}']").click()

    def submit(self) -> None:
        """Press the button of the form, again where a busy server refused it, and be on the deployment's own page."""
        for _ in range(TRIES):
            self._press()
            with suppress(TimeoutException):
                self.wait.until(url_contains("tab=Runs"))
                return
        raise TimeoutError(self.driver.find_element(By.TAG_NAME, "body").text)

    def submit_in_vain(self, label: str) -> str:
        """Press it, stay on the form, and read what the browser says of a field."""
        self._press()
        box = self.field(label).find_element(By.TAG_NAME, "input")
        said = self.wait.until(lambda _: box.get_property("validationMessage"))
        assert "tab=Runs" not in self.driver.current_url
        return str(said)

    def _press(self) -> None:
        button = self._found(By.XPATH, "//button[normalize-space(.)='Submit']")
        self.driver.execute_script("arguments[0].click()", button)

    def _tab(self, label: str, kind: str) -> None:
        tab = self.field(label).find_element(By.XPATH, f".//button[@role='tab'][normalize-space(.)='{kind}']")
        self.driver.execute_script("arguments[0].scrollIntoView({block: 'center'})", tab)
        tab.click()

    def _found(self, by: str, what: str) -> WebElement:
        return self.wait.until(lambda driver: driver.find_element(by, what))


@contextmanager
def form_page(url: str, login: str) -> Iterator[FormPage]:
    """A browser at the Prefect server of `up`. AssertionError where Chromium or its driver is not installed."""
    chromium, driver = shutil.which("chromium"), shutil.which("chromedriver")
    assert chromium and driver, (
        "Debian's chromium and chromium-driver are needed: `apt-get install chromium chromium-driver`"
    )
    options = webdriver.ChromeOptions()
    options.binary_location = chromium
    for word in QUIET:
        options.add_argument(word)
    opened = webdriver.Chrome(options=options, service=webdriver.ChromeService(driver))
    try:
        yield FormPage(opened, url, login)
    finally:
        opened.quit()
