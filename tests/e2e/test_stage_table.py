"""What `knnseq STAGE --help` says of a stage is what its code does: the keys of the config that it reads, and the
folders that the documents list."""
import re
import subprocess
import unittest

import pipeline

STAGES = pipeline.ROOT / "stages"
FUNCTIONS = {"export": "export_datastore", "import": "import_datastore", "translate": "translate_stdin"}  # of stages whose function has another name
# The keys that options.cpp reads into a member of Options, if they are not below the member's own name; and
# those that are defaults of others.
KEYS = {"models": ["model"], "foreign": ["import"], "languages": ["source_lang", "target_lang"],
        "search_defaults": ["knn", "beam_search", "dtype"]}
DEFAULTS = {"decode": ["knn", "beam_search", "dtype"], "tune": ["knn", "beam_search", "dtype"],
            "datastore": ["dtype"], "append": ["corpus"]}
IN_MAIN = {"run_dir", "device", "threads", "timeout_seconds"}  # read by main.cpp for all stages
NOT_OF_STAGES = {"options.cpp", "main.cpp", "inputs_outside.cpp", "stage_table.cpp", "command_line.cpp"}
# A call that is given all options, whatever else.
ARGUMENTS = r"(?:[^(){};]|\([^()]*\)|\{[^{}]*\})*"
CALL = re.compile(r"\b(\w+)(?: (\w+))?[({](?=" + ARGUMENTS +
                  r"(?<![.\w])(?:options_?|tried|one|for_pass\(options\))(?![.\w]))")


def knnseq(*words):
    return subprocess.run([pipeline.PROGRAM, *words], capture_output=True, text=True, check=True, timeout=60).stdout


def definitions(path):
    """(name, text) of all functions and classes at the left margin of a file; a class's functions count as
    parts of the class too."""
    lines = path.read_text(encoding="utf-8").splitlines()
    at = 0
    while at < len(lines):
        begin = at
        at += 1
        if not re.match(r"[A-Za-z_]", lines[begin]) or lines[begin].startswith(
                ("namespace", "using", "enum", "template")):
            continue
        end = begin
        while not lines[end].rstrip().endswith((";", "{", "}")):
            end += 1
        if lines[end].rstrip().endswith("{"):
            while not lines[end].startswith("}"):
                end += 1
        at = end + 1
        text = "\n".join(lines[begin:end + 1])
        name = re.match(r"(?:class|struct) (\w+)|[^(]*?\b(\w+)\(", text)
        if name and "{" in text:
            yield name.group(1) or name.group(2), text
        member = re.match(r"[^(]*?\b(\w+)::\w+\(", text)
        if member:  # what constructs an object may call all of its functions
            yield member.group(1), text


class StageTable(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.stages = [line.split()[0] for line in knnseq("--list").splitlines()]
        cls.help = {stage: knnseq(stage, "--help") for stage in cls.stages}

    def keys_of(self, stage):
        return re.findall(r"^  (\S+) {2,}", self.help[stage].split("\nkeys ")[1], re.M)

    def test_each_stage_names_the_options_that_its_code_reads(self):
        options = (STAGES / "shared/options/options.hpp").read_text(encoding="utf-8")
        members = set(re.findall(r"^  [\w:<>]+(?:<[^;]*>)? (\w+)(?: = [^;]*)?;",
                                 re.search(r"\nstruct Options \{\n(.*?)\n\};", options, re.S).group(1), re.M))
        self.assertIn("datastore", members)
        bodies = {}
        for path in sorted(STAGES.rglob("*.?pp")):
            if path.name not in NOT_OF_STAGES:
                for name, text in definitions(path):
                    bodies.setdefault(name, []).append(text)

        def reads(name, seen):
            """Members of Options that a function reads, or one that it gives the options to."""
            if name in seen or name not in bodies:
                return set()
            seen.add(name)
            found = set()
            for text in bodies[name]:
                if name != "first_corpus":  # which copies what others then read
                    found |= members & set(re.findall(r"\b(?:options_?|one|tried|result)\.(\w+)", text))
                if re.search(r"\bpaths\.corpus\.", text):
                    found.add("corpus")
                for called in {word for pair in CALL.findall(text) for word in pair}:
                    found |= reads(called, seen)
            return found

        for stage in self.stages:
            if stage in ("run", "plan"):
                continue  # have the keys of their parts
            read = reads(FUNCTIONS.get(stage, stage), set())
            if stage == "append":
                read -= {"corpus"}  # what partition reads is here an item of append
            keys = {key for member in read for key in KEYS.get(member, [member])} - IN_MAIN
            defaults = {key for member in read for key in DEFAULTS.get(member, [])}
            listed = {re.split(r"[.\[]", key)[0] for key in self.keys_of(stage)} - IN_MAIN
            with self.subTest(stage):
                self.assertEqual(sorted(keys - listed), [], "are read, but not named")
                self.assertEqual(sorted(listed - keys - defaults), [], "are named, but not read")

    def test_run_reads_what_its_parts_read(self):
        of_run = set(self.keys_of("run"))
        for stage in ("partition", "encode", "train", "add", "append", "subset", "decode", "evaluate"):
            self.assertLessEqual(set(self.keys_of(stage)), of_run, stage)

    def test_documents_have_the_folders_of_all_stages(self):
        page = (pipeline.ROOT / "docs/internals/files.md").read_text(encoding="utf-8")
        table = page.split("\n## Folders\n")[1].split("\n#")[0]
        rows = re.findall(r"^\| `([a-z-]+)/(?:<name>/)?` \| (\w+)", table, re.M)
        made = {(folder, stage) for stage in self.stages
                for line in re.findall(r"^  makes +(.*)$", self.help[stage], re.M)
                for folder in re.findall(r"([a-z-]+)/\S*", line)}
        self.assertEqual(sorted(row for row in rows if row[1] != "all"), sorted(made))


if __name__ == "__main__":
    unittest.main()
