"""Runs the steps of a check one after another, each in its own time, and keeps a readable table and a JSON
file up to date after each: scripts/gpu_check.py says which steps. Only the standard library.

A step is a program, or a comparison of what earlier steps left. Its output goes to a log of its own; a reader
takes figures out of it. A step has failed if its program fails, is late or prints no figure it should, and if a
figure breaks a limit that must hold; a bar that is merely missed (speed) is said, and does not fail it.
"""
import datetime
import json
import math
import os
import re
import signal
import subprocess
import time
from dataclasses import dataclass, field
from pathlib import Path

GRACE = 3  # seconds between asking a program to end and ending it
# "figure keys in bf16, relative error = 0.0065": what our own test programs print.
FIGURE = re.compile(r"^figure (?P<name>[^=]+?) = (?P<value>\S+) ?(?P<unit>.*)$", re.MULTILINE)
WHERE = re.compile(r"^where (?P<text>.+)$", re.MULTILINE)


@dataclass
class Bar:
    """What a figure should reach, "least" or "most"; must: a step that misses it has failed."""
    kind: str
    value: float
    must: bool = False

    def reached(self, value):
        return value >= self.value if self.kind == "least" else value <= self.value

    def text(self):
        return f"at {self.kind} {self.value:,g}"


@dataclass
class Figure:
    name: str
    value: float
    unit: str = ""
    bar: Bar | None = None


@dataclass
class Found:
    """What a reader took out of a step's output. where: lines that say where the time went."""
    figures: list = field(default_factory=list)
    where: list = field(default_factory=list)
    result: str = ""


@dataclass
class Step:
    """command: a list, or none for a comparison, which only reads. read(text) returns Found, or raises an
    exception whose text is the reason. needs: steps without which this one makes no sense."""
    name: str
    limit: float
    command: list | None = None
    read: object = None
    expects: tuple = ()
    needs: tuple = ()
    needs_gpu: bool = False


def stands_for(name, figure):
    """Whether a figure has this name, alone or with a case behind a comma."""
    return figure == name or figure.startswith(name + ",")


def figures_of(text):
    """The figures that a program printed by itself."""
    found = Found(where=[match["text"] for match in WHERE.finditer(text)])
    for match in FIGURE.finditer(text):
        found.figures.append(Figure(match["name"], float(match["value"]), match["unit"].strip()))
    return found


def number(text, pattern, what):
    """The number in the group of `pattern`, which must occur; the last occurrence."""
    matches = re.findall(pattern, text)
    if not matches:
        raise ValueError(f"it says nothing of {what}")
    return float(matches[-1].replace(",", ""))


def descendants(pid):
    """All processes below one, from /proc."""
    children = {}
    for stat in Path("/proc").glob("[0-9]*/stat"):
        try:
            fields = stat.read_text(errors="replace").rsplit(")", 1)[1].split()
        except (OSError, IndexError):
            continue  # it has just ended
        children.setdefault(int(fields[1]), []).append(int(stat.parent.name))
    found, queue = [], [pid]
    while queue:
        queue += children.get(queue[0], [])
        found += children.get(queue.pop(0), [])
    return found


def end_program(process):
    """Ends a program with all it has started: mpirun passes a SIGTERM on, if it still can."""
    below = descendants(process.pid)
    process.terminate()
    try:
        process.wait(GRACE)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()
    for pid in {*below, *descendants(process.pid)}:
        try:
            os.kill(pid, signal.SIGKILL)
        except ProcessLookupError:
            pass


def reason_in(text, code):
    """The line that says most about a failure."""
    lines = [line.strip() for line in text.splitlines() if line.strip()]
    for line in reversed(lines):
        if re.search(r"\berror\b|skipped:|FAILED|refused|cannot|no GPU|not found", line, re.IGNORECASE):
            return line
    return lines[-1] if lines else f"it said nothing, exit code {code}"


class Check:
    """One part: its steps, where they write, and by when it must be done."""

    def __init__(self, title, out, seconds, *, bars=None, facts=None, has_gpu=True, environment=None):
        self.title, self.out, self.bars = title, Path(out), bars or {}
        self.facts, self.has_gpu = facts or {}, has_gpu
        self.environment = {**os.environ, **(environment or {})}
        self.began = time.monotonic()
        self.deadline = self.began + seconds
        self.started = datetime.datetime.now(datetime.timezone.utc).isoformat(timespec="seconds")
        self.steps, self.finished, self.process = [], False, None
        self.out.mkdir(parents=True, exist_ok=True)

    def run(self, steps):
        """Runs them all, also after failures. Returns whether none failed."""
        signal.signal(signal.SIGTERM, self.interrupted)
        signal.signal(signal.SIGINT, self.interrupted)
        for step in steps:
            row = {"name": step.name, "status": "running", "reason": "", "seconds": 0, "figures": [],
                   "where": []}
            self.steps.append(row)
            self.write()  # if this is the end, it says in which step
            print(f"{step.name:<62}", end="", flush=True)
            began = time.monotonic()
            try:
                self.run_step(step, row)
            except Exception as problem:  # noqa: BLE001 whatever it is, the other steps are still of interest
                row.update(status="failed", reason=f"{type(problem).__name__}: {problem}")
            row["seconds"] = round(time.monotonic() - began, 1)
            print(f"{row['status']} ({row['seconds']:.0f} s)", flush=True)
            if row["reason"]:
                print(f"  {row['reason']}", flush=True)
            self.write()
        self.finished = True
        self.write()
        return self.failed() == 0

    def run_step(self, step, row):
        passed = {other["name"] for other in self.steps if other["status"] == "passed"}
        missing = [name for name in step.needs if name not in passed]
        if step.needs_gpu and not self.has_gpu:
            row.update(status="not tried", reason="needs a GPU")
            return
        if missing:
            row.update(status="not run", reason=f"needs '{missing[0]}', which did not pass")
            return
        text = ""
        if step.command is not None:
            limit = min(step.limit, self.deadline - time.monotonic() - GRACE - 1)
            if limit < 2:
                row.update(status="not run", reason="no time is left for it in this part")
                return
            text = self.run_program(step, row, limit)
            if row["status"] != "running":
                return
        try:
            found = (step.read or figures_of)(text)
            names = [figure.name for figure in found.figures]
            for name in step.expects:
                if not any(stands_for(name, other) for other in names):
                    raise ValueError(f"it printed no figure '{name}'")
            for figure in found.figures:
                if not math.isfinite(figure.value):
                    raise ValueError(f"{figure.name} is {figure.value}")
                bars = [bar for name, bar in self.bars.items() if stands_for(name, figure.name)]
                figure.bar = figure.bar or (bars[0] if bars else None)
        except Exception as problem:  # noqa: BLE001
            row.update(status="failed", reason=f"its output cannot be used: {problem}")
            return
        row.update(status="passed", result=found.result, where=found.where,
                   figures=[figure_json(figure) for figure in found.figures])
        for figure in found.figures:
            if figure.bar and figure.bar.must and not figure.bar.reached(figure.value):
                row.update(status="failed",
                           reason=f"{figure.name} is {figure.value:,.6g}, must be {figure.bar.text()}")

    def run_program(self, step, row, limit):
        """What it printed; sets the row's status if it failed."""
        log = self.out / (re.sub(r"[^A-Za-z0-9]+", "-", step.name).strip("-") + ".log")
        row["log"] = log.name
        row["command"] = [str(word) for word in step.command]
        with open(log, "wb") as output:
            try:
                self.process = subprocess.Popen(row["command"], stdout=output, stderr=subprocess.STDOUT,
                                                stdin=subprocess.DEVNULL, env=self.environment,
                                                start_new_session=True)
            except OSError as problem:
                row.update(status="failed", reason=f"it cannot be started: {problem}")
                return ""
            try:
                code = self.process.wait(limit)
            except subprocess.TimeoutExpired:
                end_program(self.process)
                code = None
        text = log.read_text(encoding="utf-8", errors="replace")
        if code is None:
            row.update(status="late", reason=f"ended after {limit:.0f} s; the last it said: {last_line(text)}")
        elif code != 0:
            # 77: a test that skips itself has proven nothing.
            row.update(status="failed", exit_code=code, reason=reason_in(text, code))
        self.process = None
        return text

    def interrupted(self, number, _frame):
        """Ends what runs; what is known so far stays."""
        if self.process is not None:
            end_program(self.process)
        self.steps[-1].update(status="failed", reason=f"interrupted by {signal.Signals(number).name}")
        self.write()
        raise SystemExit(128 + number)

    def failed(self):
        return sum(row["status"] not in ("passed", "not tried", "running") for row in self.steps)

    def missed(self):
        return sum(figure.get("reached") is False for row in self.steps for figure in row["figures"])

    def write(self):
        """Table and JSON, each replaced at once."""
        summary = {"title": self.title, "started": self.started, "finished": self.finished,
                   "seconds": round(time.monotonic() - self.began, 1), "failed": self.failed(),
                   "missed_bars": self.missed(), "facts": self.facts, "steps": self.steps}
        replace(self.out / "result.json", json.dumps(summary, indent=1) + "\n")
        replace(self.out / "table.md", self.table())

    def table(self):
        lines = [f"# {self.title}", "", f"Started {self.started}" + ("" if self.finished else "; NOT FINISHED"),
                 *[f"{key}: {value}" for key, value in self.facts.items()],
                 "", "| step | result | seconds |", "|---|---|---:|"]
        for row in self.steps:
            said = row["reason"] or row.get("result", "")
            result = row["status"] + (f": {cell(said)}" if said else "")
            lines.append(f"| {row['name']} | {result} | {row['seconds']:.0f} |")
        lines += ["", "| figure | value | bar | |", "|---|---:|---|---|"]
        for row in self.steps:
            for figure in row["figures"]:
                verdict = {True: "reached", False: "MISSED", None: ""}[figure.get("reached")]
                lines.append(f"| {figure['name']} | {figure['value']:,.6g} {figure['unit']} | "
                             f"{figure.get('bar', '')} | {verdict} |")
        where = [(row["name"], line) for row in self.steps for line in row["where"]]
        if where:
            lines += ["", "Where the time went:", "", *[f"- {name}: {line}" for name, line in where]]
        ending = f"{self.failed()} failed, {self.missed()} bars missed"
        return "\n".join([*lines, "", ending, ""])


def figure_json(figure):
    made = {"name": figure.name, "value": figure.value, "unit": figure.unit}
    if figure.bar:
        made.update(bar=figure.bar.text(), reached=figure.bar.reached(figure.value))
    return made


def cell(text):
    """Fit for a table: one line, not too long."""
    text = " ".join(text.replace("|", "/").split())
    return text if len(text) <= 300 else text[:297] + "…"


def last_line(text):
    lines = [line.strip() for line in text.splitlines() if line.strip()]
    return lines[-1] if lines else "nothing"


def replace(path, text):
    partial = path.with_name(path.name + ".partial")
    partial.write_text(text, encoding="utf-8")
    os.replace(partial, path)
