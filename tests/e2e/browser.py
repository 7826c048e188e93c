"""A headless Chromium, driven through chromedriver by the WebDriver protocol (https://www.w3.org/TR/webdriver2)."""
import base64
import http.client
import json
import re
import shutil
import subprocess
import time

ELEMENT = "element-6066-11e4-a52e-4f735466cecf"
KEYS = {"Enter": "\ue007", "Escape": "\ue00c", "Left": "\ue012", "Up": "\ue013", "Right": "\ue014", "Down": "\ue015"}


class Browser:
    def __init__(self):
        program = shutil.which("chromedriver")
        if program is None:
            raise FileNotFoundError("chromedriver is missing: scripts/install_deps.sh --tests installs it")
        self.driver = subprocess.Popen([program, "--port=0"], stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                                       stderr=subprocess.STDOUT, text=True)
        said = ""
        while "started successfully on port" not in said:
            line = self.driver.stdout.readline()
            if not line:
                raise RuntimeError(said)
            said += line
        self.port = int(re.search(r"successfully on port (\d+)", said).group(1))
        self.base = ""
        arguments = ["--headless=new", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage"]
        session = self.ask("POST", "/session", {"capabilities": {"alwaysMatch": {
            "browserName": "chrome", "goog:chromeOptions": {"args": arguments},
            "goog:loggingPrefs": {"browser": "ALL"}}}})
        self.base = f"/session/{session['sessionId']}"

    def close(self):
        if self.base:
            self.ask("DELETE", "")
        self.driver.terminate()
        self.driver.communicate(timeout=20)

    def ask(self, method, path, body=None):
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=60)
        connection.request(method, self.base + path, body=None if method != "POST" else json.dumps(body or {}))
        answer = json.loads(connection.getresponse().read())["value"]
        connection.close()
        if isinstance(answer, dict) and "error" in answer:
            raise RuntimeError(f"{answer['error']}: {answer['message']}")
        return answer

    def open(self, url):
        self.ask("POST", "/url", {"url": url})

    def run(self, script, *arguments):
        """What a script returns; it has its arguments as `arguments`."""
        return self.ask("POST", "/execute/sync", {"script": script, "args": list(arguments)})

    def text(self, selector):
        """Of the first element of a CSS selector, as it is seen."""
        return self.run("return document.querySelector(arguments[0]).innerText", selector)

    def count(self, selector):
        return self.run("return document.querySelectorAll(arguments[0]).length", selector)

    def click(self, selector):
        """As a user does: what is not visible cannot be clicked."""
        self.ask("POST", f"/element/{self.find(selector)}/click")

    def type(self, selector, text):
        self.ask("POST", f"/element/{self.find(selector)}/value", {"text": text})

    def find(self, selector):
        return self.ask("POST", "/element", {"using": "css selector", "value": selector})[ELEMENT]

    def press(self, key):
        """One of KEYS, where the focus is."""
        self.ask("POST", "/actions", {"actions": [{"type": "key", "id": "keyboard", "actions": [
            {"type": kind, "value": KEYS[key]} for kind in ("keyDown", "keyUp")]}]})

    def wait(self, script, *arguments, seconds=60):
        """Until a script returns what is true, which is returned."""
        deadline = time.time() + seconds
        while True:
            value = self.run("return " + script, *arguments)
            if value:
                return value
            if time.time() > deadline:
                raise AssertionError(f"never true: {script}; the page says: {self.text('body')}; {self.log()}")
            time.sleep(0.05)

    def emulate(self, width, height, scheme):
        """A screen, and prefers-color-scheme."""
        for command, parameters in (
                ("Emulation.setDeviceMetricsOverride",
                 {"width": width, "height": height, "deviceScaleFactor": 1, "mobile": False}),
                ("Emulation.setEmulatedMedia", {"features": [{"name": "prefers-color-scheme", "value": scheme}]})):
            self.ask("POST", "/goog/cdp/execute", {"cmd": command, "params": parameters})

    def screenshot(self, path):
        path.write_bytes(base64.b64decode(self.ask("GET", "/screenshot")))

    def log(self):
        """What the browser complained of since the last call."""
        return [entry["message"] for entry in self.ask("POST", "/se/log", {"type": "browser"})]
