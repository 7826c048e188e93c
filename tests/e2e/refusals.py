"""What the tests of bad input share: commands that must be refused, each on its own copy of the input."""
import json
import shutil
from dataclasses import dataclass, field

import pipeline

# What a command that is refused may leave: the marker, messages, the resolved config, what it knows of
# input files.
NO_WORK = {"knnseq-run.json", "lock", "log.jsonl", "config.yaml", "stamps.json"}


@dataclass
class Case:
    """A command that must be refused with a line that has this text."""
    stage: str
    says: str
    options: tuple = ()  # values of --set
    edit: object = None  # changes the files of the test before
    ranks: int = 1
    arguments: tuple = field(default_factory=tuple)  # other options


class RefusalTest(pipeline.PipelineTest):
    def refused(self, stage, *options, says, ranks=2):
        text = self.run_stage(stage, *options, ranks=ranks, code=2)
        lines = [line for line in text.splitlines() if line.startswith("knnseq")]
        self.assertEqual(len(lines), 1, text)  # one message for all ranks
        self.assertIn(says, text)
        return lines[0]

    def tree(self):
        """{name: bytes} of the run directory, without what a refused command may leave."""
        run = self.folder / "run"
        return {str(path.relative_to(run)): path.read_bytes() for path in run.rglob("*")
                if path.is_file() and path.relative_to(run).parts[0] not in NO_WORK}

    def check(self, cases):
        """Each case on its own copy of the input files; the run directory must stay as it is."""
        inputs = self.folder / "inputs"
        names = [path.name for path in self.folder.iterdir() if path.name != "run"]
        inputs.mkdir()
        for name in names:
            shutil.copy2(self.folder / name, inputs / name)
        before = self.tree()
        self.assertGreater(len(cases), 0)
        for case in pipeline.some(cases):
            with self.subTest(stage=case.stage, says=case.says, options=case.options):
                self.word = None
                if case.edit:
                    case.edit(self)
                options = [part for option in case.options for part in ("--set", option)]
                stage = self.word or case.stage
                self.refused(stage, *options, *case.arguments, says=case.says, ranks=case.ranks)
                self.assertEqual(self.tree().keys(), before.keys())
                self.assertEqual(self.tree(), before)
            for path in self.folder.iterdir():
                if path.name not in ("run", "inputs", *names):
                    shutil.rmtree(path) if path.is_dir() else path.unlink()
            if self.config.is_dir():
                self.config.rmdir()
            for name in names:
                shutil.copy2(inputs / name, self.folder / name)

    def rename_stage(self, word):
        self.word = word

    def add_config(self, text):
        with self.config.open("a", encoding="utf-8") as config:
            config.write(text)

    def lines(self, name):
        return (self.folder / name).read_bytes().splitlines(keepends=True)

    def put_line(self, name, number, line):
        """Replaces a line (from 1), as bytes."""
        lines = self.lines(name)
        lines[number - 1] = line + b"\n"
        (self.folder / name).write_bytes(b"".join(lines))

    def copy_model(self):
        """A copy of the model to be damaged; the config names it."""
        other = self.folder / "model"
        shutil.copytree(pipeline.MODEL, other)
        self.add_config(f"\ntokenizer: {other}\n")
        text = self.config.read_text(encoding="utf-8").replace(f"model: {pipeline.MODEL}", f"model: {other}")
        self.config.write_text(text, encoding="utf-8")
        return other

    def edit_json(self, path, change):
        content = json.loads(path.read_text(encoding="utf-8"))
        change(content)
        path.write_text(json.dumps(content), encoding="utf-8")
