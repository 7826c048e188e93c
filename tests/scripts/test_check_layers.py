#!/usr/bin/env python3
"""Breaks every rule of scripts/check_layers.py once, in a small tree, and expects it to be reported."""
import contextlib
import io
import sys
import tempfile
import unittest
from pathlib import Path
from unittest import mock

sys.path.insert(0, str(Path(__file__).parents[2] / "scripts"))
import check_layers  # noqa: E402

ROOMS = {"core": "", "obs": "core", "index/core": "core"}
SHARED = ["options", "inputs"]
TREE = {
    "common/core/error.hpp": "#pragma once\n",
    "common/obs/terminal.hpp": "#pragma once\n#include \"core/error.hpp\"\nstd::puts(\"\");\n",
    "common/index/core/top_k.hpp": "#pragma once\n#include \"core/error.hpp\"\n#include <faiss/Index.h>\n",
    "stages/main.cpp": "#include \"stages/run/run.hpp\"\n",
    "stages/run/run.hpp": "#pragma once\n#include \"stages/train/train.hpp\"\n",
    "stages/train/train.hpp": "#pragma once\n#include \"stages/shared/inputs/inputs.hpp\"\n",
    "stages/shared/options/options.hpp": "#pragma once\n#include \"obs/terminal.hpp\"\n",
    "stages/shared/inputs/inputs.hpp": "#pragma once\n#include \"stages/shared/options/options.hpp\"\n",
}


class CheckLayers(unittest.TestCase):
    def setUp(self):
        self.rooms, self.shared, self.tree = dict(ROOMS), list(SHARED), dict(TREE)

    def problems(self):
        with tempfile.TemporaryDirectory() as folder, \
                mock.patch.multiple(check_layers, ALLOWED=self.rooms, SHARED=self.shared):
            for name, text in self.tree.items():
                path = Path(folder, name)
                path.parent.mkdir(parents=True, exist_ok=True)
                path.write_text(text, encoding="utf-8")
            return check_layers.check(Path(folder))[1]

    def expect(self, *texts):
        problems = self.problems()
        self.assertEqual(len(problems), len(texts), problems)
        for text in texts:
            self.assertTrue(any(text in problem for problem in problems), (text, problems))

    def test_good_tree(self):
        self.expect()

    def test_unknown_rooms(self):
        self.tree["common/extra/x.hpp"] = "#pragma once\n"
        self.tree["stages/shared/extra/x.hpp"] = "#pragma once\n"
        self.expect("extra is not a room", "stages/shared/extra is not a room")

    def test_rooms_without_files(self):
        self.rooms["store"] = ""
        self.shared.append("text")
        self.expect("common/store has no files", "stages/shared/text has no files")

    def test_functions_that_overload_each_other(self):
        text = "namespace knnseq::core {{\n\nnamespace {{\n\n{}(int a) {{\n}}\n\n}}  // namespace\n"
        self.tree["common/core/one.cpp"] = text.format("void check")
        self.tree["common/core/two.cpp"] = text.format("std::vector<int> check")
        self.tree["common/core/three.cpp"] = text.format("void verify")
        self.tree["common/obs/four.cpp"] = text.format("void check")  # another target
        self.expect("check() is in the unnamed namespace of")

    def test_long_file(self):
        self.tree["common/core/error.hpp"] += "\n" * check_layers.LONGEST
        self.expect(f"{check_layers.LONGEST + 1} lines")

    def test_large_folder(self):
        for number in range(check_layers.LARGEST_FOLDER):
            self.tree[f"common/core/file{number}.cpp"] = ""
        self.expect(f"{check_layers.LARGEST_FOLDER + 1} files of code")

    def test_header_without_guard(self):
        self.tree["common/core/error.hpp"] = "\n"
        self.expect("error.hpp: no #pragma once")

    def test_printing(self):
        self.tree["common/core/error.cpp"] = "// std::cout is not for us\nstd::cout << 1;\n"
        self.expect("error.cpp:2: print through obs/terminal.hpp")

    def test_third_party_headers(self):
        self.tree["common/core/error.cpp"] = "#include <faiss/Index.h>\n#include <torch/torch.h>\n"
        self.expect("<faiss/Index.h> belongs to index", "<torch/torch.h> belongs to no module")

    def test_edge_that_is_not_allowed(self):
        self.tree["common/index/core/top_k.cpp"] = '#include "obs/terminal.hpp"\n'
        self.expect("index/core may not include obs/terminal.hpp")

    def test_cycle(self):
        self.rooms["core"] = "obs"
        self.tree["common/core/error.cpp"] = '#include "obs/terminal.hpp"\n'
        self.expect("obs must come before core")

    def test_unused_edge(self):
        self.rooms["index/core"] = "core obs"
        self.expect("index/core no longer includes obs")

    def test_library_includes_stages(self):
        self.tree["common/core/error.cpp"] = '#include "stages/run/run.hpp"\n'
        self.expect("only stages include stages")

    def test_stage_includes_another(self):
        self.tree["stages/add/add.cpp"] = '#include "stages/train/train.hpp"\n'
        self.expect("stages/add may not include another stage")

    def test_shared_room_includes_a_later_one(self):
        self.tree["stages/shared/options/options.cpp"] = '#include "stages/shared/inputs/inputs.hpp"\n'
        self.expect("stages/shared/options comes before inputs")

    def test_shared_room_includes_a_stage(self):
        self.tree["stages/shared/inputs/inputs.cpp"] = '#include "stages/train/train.hpp"\n'
        self.expect("stages/shared/inputs may not include another stage")

    def test_exit_codes(self):
        with tempfile.TemporaryDirectory() as folder, contextlib.redirect_stdout(io.StringIO()):
            with mock.patch.object(sys, "argv", ["check_layers.py", folder]):
                self.assertEqual(check_layers.main(), 1)  # no file at all
            with mock.patch.object(sys, "argv", ["check_layers.py"]):
                self.assertEqual(check_layers.main(), 0)


if __name__ == "__main__":
    unittest.main()
