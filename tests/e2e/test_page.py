"""The page of serve in a browser."""
import unittest

import browser
import pipeline

MARKUP = "<b>Tom</b> <script>document.title = 'run'</script> <img src=x onerror=\"document.title = 'run'\"> &amp; schläft."


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

    def test_server(self):
        job = self.start()
        page = self.browser
        page.emulate(1400, 900, "light")
        page.open(f"http://127.0.0.1:{job.port}/")
        # The first test sentence, translated; a token that differs is chosen, and its neighbours are seen.
        page.wait("document.querySelectorAll('.translation .tokens').length === 2")
        self.assertEqual(page.run("return document.getElementById('source').value"), self.sources[0])
        self.assertEqual(page.count(".neighbours li"), 12)
        self.assertEqual(page.count(".neighbours mark"), 12)
        self.assertEqual(page.count(".plane circle"), 12)
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
        page.click(".translation.knn button.token:nth-of-type(3)")
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


if __name__ == "__main__":
    unittest.main()
