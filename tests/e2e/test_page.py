"""The page in a browser: that of serve, and a file with a decoded test set."""
import base64
import gzip
import json
import re
import sys
import unittest

import browser
import pipeline

MARKUP = "<b>Tom</b> <script>document.title = 1</script> <img src=x onerror=\"document.title = 1\"> &amp;"


class Page(pipeline.ServingTest):
    def setUp(self):
        super().setUp()
        self.sources = (self.folder / "test.de").read_text(encoding="utf-8").splitlines()
        for stage in ("partition", "encode", "train", "add", "decode base knn"):
            self.run_stage(stage, ranks=1)
        self.browser = browser.Browser()
        self.addCleanup(self.browser.close)

    def translation(self, side):
        """The text of the tokens, as it is seen."""
        return self.browser.text(f".translation.{side} .tokens")

    def test_server_and_file(self):
        self.check_server()
        self.check_file()
        self.check_report()

    def check_server(self):
        job = self.start()
        page = self.browser
        page.emulate(1400, 900, "light")
        page.open(f"http://127.0.0.1:{job.port}/")
        # The first test sentence, translated; a token that differs is chosen, and its neighbours are seen.
        page.wait("document.querySelectorAll('.translation .tokens').length === 2")
        self.assertEqual(page.run("return document.getElementById('source').value"), self.sources[0])
        self.assertEqual(page.count(".neighbours li"), 12)
        self.assertEqual(page.count(".neighbours mark"), 12)
        page.wait("document.querySelectorAll('.plane circle').length === 12")
        self.assertEqual(page.count(".bars .meter"), 3)
        # A sentence of the list, found by a search.
        page.click("#choose")
        page.type("#choice input[type=search]", self.sources[4])
        self.assertEqual(page.count("#choice li"), 1)
        page.click("#choice li button")
        page.wait("document.getElementById('source').value === arguments[0]", self.sources[4])
        page.click("#choose")

        # A sentence is typed.
        page.run("document.getElementById('source').value = ''")
        page.type("#source", "Tom ist ein guter Mann.")
        page.press("Enter")
        page.wait("document.querySelector('.translation.base .tokens').innerText.includes('good')")
        # A slider moves: without weight of the neighbours both are the same.
        page.run("document.getElementById('slider-lambda').focus()")
        page.run("const slider = document.getElementById('slider-lambda'); slider.value = 0;"
                 "slider.dispatchEvent(new Event('input'))")
        page.wait("document.querySelector('.translation.knn').innerText.includes('the same tokens')")
        self.assertEqual(self.translation("base"), self.translation("knn"))
        page.press("Right")
        page.wait("document.querySelector('output[for=slider-lambda]').innerText !== '0'")
        page.wait("document.querySelector('.formula').innerText.endsWith('0.025')")
        page.click("details > button")  # as configured
        page.wait("document.querySelector('.formula').innerText.endsWith('λ = 0.6')")

        # A token is clicked, and left by keys.
        page.click(".translation.knn [data-place=\"2\"]")
        of = "document.querySelector('.of').innerText"
        self.assertTrue(page.run(f"return {of}").startswith("token 3 of "))
        for key, expected in (("Right", "token 4"), ("Left", "token 3"), ("Up", "token 3"), ("Down", "token 3")):
            page.press(key)
            self.assertTrue(page.run(f"return {of}").startswith(expected), key)
            side = "base" if key == "Up" else "knn"
            self.assertEqual(page.count(f".translation.{side} .token[aria-pressed=true]"), 1, key)
        page.press("Escape")
        self.assertEqual(page.count(".detail"), 0)
        self.assertEqual(page.run("return document.activeElement.className.split(' ')[0]"), "token")

        # What looks like HTML is text.
        page.run("document.getElementById('source').value = arguments[0]", MARKUP)
        page.click("#go")
        page.wait("document.querySelectorAll('.neighbours li').length === 12")
        self.assertEqual(page.count("main img, main script, main b"), 0)
        self.assertEqual(page.run("return document.title"), "knnseq")
        # A refusal is seen.
        page.run("document.getElementById('source').value = 'a'.repeat(2000000)")
        page.click("#go")
        self.assertIn("too long", page.wait("document.getElementById('problem').innerText"))
        self.assertFalse([message for message in page.log() if " 413 " not in message])

        # A small screen: nothing is wider than it. Dark if the system is.
        light = page.run("return getComputedStyle(document.body).backgroundColor")
        page.emulate(360, 740, "dark")
        page.open(f"http://127.0.0.1:{job.port}/")
        page.wait("document.querySelectorAll('.neighbours li').length === 12")
        self.assertLessEqual(page.run("return document.documentElement.scrollWidth"), 360)
        self.assertNotEqual(page.run("return getComputedStyle(document.body).backgroundColor"), light)
        self.assertEqual(page.log(), [])
        self.end(job)

    def book_of(self, file):
        """What is in such a file."""
        text = file.read_text(encoding="utf-8")
        packed = re.search(r'<script type="text/plain" id="book">(.*?)</script>', text, re.S).group(1)
        return json.loads(gzip.decompress(base64.b64decode(packed)))

    def check_file(self):
        """Of all lines, some of which look like HTML; by two ranks as by one."""
        lines = [f"{line} {MARKUP}" if i % 7 == 3 else line for i, line in enumerate(self.sources)]
        self.write_side("test.de", lines)
        self.write_side("test.en", [f"</script><b>{i}</b>" if i == 3 else f"reference {i}" for i in range(len(lines))])
        self.run_stage("decode base knn", "--force", ranks=1)
        file, other = self.folder / "book.html", self.folder / "other.html"
        self.assertIn("30 lines", self.run_stage("inspect", "--html", str(file)))
        self.run_stage("inspect", "--html", str(other), ranks=1)
        self.assertEqual(file.read_bytes(), other.read_bytes())
        text = file.read_text(encoding="utf-8")
        self.assertEqual(text.count("<script"), 2)
        self.assertEqual(re.findall(r'(?:src|href)="(?!data:|#)([^"]*)', text), [])
        book = self.book_of(file)
        self.assertEqual([line["n"] for line in book["lines"]], list(range(1, 31)))
        self.assertEqual(len({(s[4], s[3]) for s in book["sentences"]}), len(book["sentences"]))
        for line in book["lines"]:
            same = {pair[1] for pair in line["same"]}
            for place, token in enumerate(line["tokens"]):
                self.assertEqual(len(token), 4 if place in same else 8)
                if place not in same:
                    self.assertEqual(len(token[6]), 8)

        page = self.browser
        page.emulate(1400, 900, "dark")
        page.open(file.as_uri())
        page.wait("document.querySelectorAll('.neighbours li').length === 8")
        self.assertEqual(page.count("#side li"), 30)
        changed = page.run("return [...document.querySelectorAll('.badge')].map((badge) => Number(badge.innerText))")
        self.assertGreater(changed[0], 0)
        self.assertEqual(page.count("#side [aria-current]"), 1)
        page.type("#side input[type=search]", "onerror")
        page.wait("document.querySelectorAll('#side li').length === 4")
        page.click("#side li button")
        page.wait("document.querySelector('.source-line').innerText.includes('<script>')")
        self.assertEqual(page.count("main img, main script, main b"), 0)
        page.click(".translation.knn [data-place=\"1\"]")
        self.assertTrue(page.text(".of").startswith("token 2 of "))
        page.press("Escape")
        self.assertEqual(page.count(".detail"), 0)
        page.run("const input = document.querySelector('#side input'); input.value = '';"
                 "input.dispatchEvent(new Event('input'));"
                 "const order = document.querySelector('#side select[aria-label=Order]');"
                 "order.value = 'as in the test set'; order.dispatchEvent(new Event('change'))")
        page.click("#side li:nth-of-type(4) button")
        self.assertEqual(page.text(".reference p"), "</script><b>3</b>")
        page.emulate(360, 740, "light")
        self.assertLessEqual(page.run("return document.documentElement.scrollWidth"), 360)
        self.assertEqual(page.run("return document.title"), "knn – knnseq")
        self.assertEqual(page.log(), [])

        # Named lines only, with the plane; and what is refused.
        self.run_stage("inspect", "--html", str(other), "--set", "inspect.lines=[4, 2]", "--set", "inspect.plane=true",
                       "--set", "inspect.neighbours=3", ranks=1)
        book = self.book_of(other)
        self.assertEqual([line["n"] for line in book["lines"]], [4, 2])
        changed = next(token for line in book["lines"] for token in line["tokens"] if len(token) > 4)
        self.assertEqual(len(changed[8]), 2 + 3)
        page.open(other.as_uri())
        page.wait("document.querySelectorAll('.plane circle').length === 3")
        self.assertIn("inspect.lines 31: the test set has 30 lines", self.run_stage(
            "inspect", "--html", str(other), "--set", "inspect.lines=[31]", ranks=1, code=2))
        self.assertIn("there is no folder", self.run_stage(
            "inspect", "--html", str(self.folder / "no/book.html"), ranks=1, code=2))

    def check_report(self):
        self.run_stage("evaluate", ranks=1)
        self.run_stage("report")
        page = self.browser
        for width, scheme in ((1400, "dark"), (360, "light")):
            page.emulate(width, 900, scheme)
            page.open((self.folder / "run/report.html").as_uri())
            sections = page.run("return [...document.querySelectorAll('section')].map((one) => one.id)")
            self.assertEqual([name for name in sections if name != "warnings"],
                             ["scores", "time", "text", "index", "origin"])
            self.assertLessEqual(page.run("return document.documentElement.scrollWidth"), width)
        for part in ("base", "knn", "encode", "32 lists:", "knnseq decode base knn --config"):
            self.assertIn(part, page.run("return document.body.textContent"))
        self.assertEqual(page.count("script, img"), 0)
        self.assertEqual(page.log(), [])


if __name__ == "__main__":
    if not pipeline.FULL:
        print("a browser is for the full test: KNNSEQ_FULL=1, or scripts/test.sh --full")
        sys.exit(77)
    unittest.main()
