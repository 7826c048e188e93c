#!/usr/bin/env python3
"""Runs the Python code of a page of docs/, block after block, as one session.

    page_blocks.py docs/python.md

from the project's folder: writes what each block prints, and the value of its last line, below it in the page."""
import ast
import contextlib
import io
import re
import sys
from pathlib import Path

BLOCK = re.compile(r"^```python\n(.*?)^```\n(?:\n?```text\n.*?^```\n)?", re.M | re.S)


def run_block(code, session):
    """What a block prints, like a cell of a notebook. `session`: the variables of those before it."""
    printed, tree = io.StringIO(), ast.parse(code)
    last = tree.body.pop() if isinstance(tree.body[-1], ast.Expr) else None
    with contextlib.redirect_stdout(printed):
        exec(compile(tree, "<block>", "exec"), session)
        if last is not None:
            value = eval(compile(ast.Expression(last.value), "<block>", "eval"), session)
            if value is not None:
                print(repr(value))
    return printed.getvalue()


def run_page(text, old, new):
    """What the blocks of a page's text print, with the path `old` in their code replaced by `new`."""
    session = {}
    return [run_block(code.replace(old, new), session) for code in BLOCK.findall(text)]


def main():
    page, session = Path(sys.argv[1]), {}

    def with_output(match):
        printed = run_block(match.group(1), session)
        output = f"```text\n{printed}```\n" if printed else ""
        return f"```python\n{match.group(1)}```\n{output}"

    page.write_text(BLOCK.sub(with_output, page.read_text(encoding="utf-8")), encoding="utf-8")


if __name__ == "__main__":
    main()
