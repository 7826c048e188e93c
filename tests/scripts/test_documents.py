#!/usr/bin/env python3
"""Checks README.md, docs/*.md and docs/internals/*.md against the tree: paths and links exist, and
docs/design.md has the rooms and edges of scripts/check_layers.py."""
import re
import sys
import unittest
from pathlib import Path

ROOT = Path(__file__).parents[2]
sys.path.insert(0, str(ROOT / "scripts"))
import check_layers  # noqa: E402

PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md")),
         *sorted((ROOT / "docs/internals").glob("*.md"))]
FOLDERS = ("common/", "configs/", "docs/", "scripts/", "slurm/", "stages/", "tests/", "models/demo")
CODE = re.compile(r"\.(hpp|cpp|cuh|cu|py|sh|sbatch)$")
MADE_BY_USERS = {"slurm/cluster.sh"}


def texts_of_pages():
    return [(str(page.relative_to(ROOT)), page.read_text(encoding="utf-8")) for page in PAGES]


def anchors(text):
    headings = re.findall(r"^#+ (.*)$", text, re.M)
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}


class Documents(unittest.TestCase):
    def test_paths_in_backticks_exist(self):
        names = {path.name for folder in FOLDERS for path in (ROOT / folder.split("/")[0]).rglob("*")}
        missing = []
        for page, text in texts_of_pages():
            prose = re.sub(r"^```.*?^```", "", text, flags=re.M | re.S)
            for word in " ".join(re.findall(r"`([^`]+)`", prose)).split():
                word = word.split("#")[0].rstrip(".,:;")
                if re.search(r"[*<>…{}]", word) or word in MADE_BY_USERS:
                    continue
                if word.startswith(FOLDERS):
                    found = (ROOT / word).exists() or (ROOT / word).with_suffix(".cpp").exists()
                elif CODE.search(word) and "/" in word:
                    found = (ROOT / "common" / word).exists()
                else:
                    found = not CODE.search(word) or word in names
                if not found:
                    missing.append(f"{page}: {word}")
        self.assertEqual(missing, [])

    def test_links_lead_somewhere(self):
        broken = []
        for page, text in texts_of_pages():
            for target in re.findall(r"\]\(([^)\s]+)\)", text):
                if re.match(r"https?:", target):
                    continue
                name, _, anchor = target.partition("#")
                file = (ROOT / page).parent / name if name else ROOT / page
                if not file.exists() or (anchor and anchor not in anchors(file.read_text(encoding="utf-8"))):
                    broken.append(f"{page}: {target}")
        self.assertEqual(broken, [])


class Design(unittest.TestCase):
    def setUp(self):
        self.text = (ROOT / "docs/design.md").read_text(encoding="utf-8")

    def test_one_page(self):
        self.assertLessEqual(len(self.text.split()), 1500)

    def test_table_of_rooms(self):
        section = self.text.split("\n## The rooms\n")[1].split("\n## ")[0]
        rooms = re.findall(r"^\| `([^`]+)` \|", section, re.M)
        expected = [*check_layers.ALLOWED, *(f"stages/shared/{room}" for room in check_layers.SHARED)]
        self.assertEqual(sorted(rooms), sorted(expected))

    def test_picture_of_modules(self):
        """The picture has every edge between modules that no longer way replaces."""
        includes = {}
        for room, others in check_layers.ALLOWED.items():
            module = includes.setdefault(room.split("/")[0], set())
            module.update(other.split("/")[0] for other in others.split())
        includes = {module: others - {module} for module, others in includes.items()}
        includes["stages"] = set(includes)

        def below(module):
            return set().union(*({other} | below(other) for other in includes[module]))

        expected = {(other, module) for module, others in includes.items() for other in others
                    if not any(other in below(between) for between in others)}
        drawn = set()
        picture = re.search(r"flowchart BT\n(.*?)```", self.text, re.S).group(1)
        for line in picture.splitlines():
            ends = [part.split(" & ") for part in line.strip().split(" --> ")]
            for lower, upper in zip(ends, ends[1:]):
                drawn.update((a, b) for a in lower for b in upper)
        self.assertEqual(drawn, expected)


if __name__ == "__main__":
    unittest.main()
