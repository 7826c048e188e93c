#!/usr/bin/env python3
"""Prove the program for GPUs on a machine that has one, and measure it, in parts of at most three minutes.

    scripts/gpu_check.py --list
    scripts/gpu_check.py --part N [--out FOLDER] [--work FOLDER] [--device cpu] [--quick]

Part of the folder that "scripts/bundle.sh --tests" makes; started there. Each part stands alone, goes on after
a failure, and leaves in FOLDER/part-N (default: gpu-check/part-N) a table (table.md), the same for programs
(result.json) and the log of each step, also if it is interrupted. What is large (run directories, a model of
random weights) goes to --work. Exit code 1 if anything failed; a bar that is missed is said in the table.

--device cpu tries the parts themselves on a machine without a GPU; --quick takes sizes that need seconds.
docs/gpu.md says more.
"""
import argparse
import json
import os
import re
import shutil
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent))
from check_steps import Bar, Check, Figure, Found, Step, figures_of, number  # noqa: E402

SECONDS = 178  # of a part
PATIENCE = 6   # times that and the steps' limits on a CPU, where only the logic is tried
BARS = {
    "encoding, model of WMT19's size, bf16": Bar("least", 600_000),
    "scan of 10 M codes, share of its bound": Bar("least", 0.7),
    "scan of 100 M codes, share of its bound": Bar("least", 0.7),
    "scan of 1,000 M codes of 32 bytes, share of its bound": Bar("least", 0.7),
    "decoding with kNN by the speed without, 20 M random codes": Bar("least", 0.9),
    "decoding with kNN by the speed without, 20 M entries": Bar("least", 0.9),
    "BLEU of base less the CPU's": Bar("most", 0.1, must=True),  # the absolute difference
    "BLEU of knn less the CPU's": Bar("most", 0.1, must=True),
    "keys in fp32, relative error": Bar("most", 1e-5, must=True),
    "keys in fp16, relative error": Bar("most", 1e-2, must=True),
    "keys in bf16, relative error": Bar("most", 1e-2, must=True),
    "codebook error by the CPU's": Bar("most", 1.005, must=True),
    "codes that are the CPU's": Bar("least", 0.999, must=True),
    "probed lists that are the CPU's": Bar("least", 0.999, must=True),
    "neighbours that are the CPU's": Bar("least", 0.995, must=True),
    "memory of training by what was told": Bar("most", 1, must=True),
    "memory of the codes by the plan": Bar("most", 1.05, must=True),
    "assignment to 131,072 lists by bf16 by the speed of fp32 products": Bar("least", 1),
}
# As configs/demo-small.yaml, with paths that do not depend on the folder it is started in.
DEMO = """run_dir: {run}
model: {top}/models/demo-de-en
shards: 2
corpus: {{source: {text}/datastore.de, target: {text}/datastore.en}}
datastore: {{sample: 32768}}
index: {{factory: "{factory}", opq_iterations: 10}}
knn: {{k: 32, nprobe: 16, temperature: 15, lambda: 0.7}}
beam_search: {{length_penalty: 1.4}}
decode:
  - {{name: base, source: {text}/test.de, reference: {text}/test.en, knn: false, length_penalty: 1.0}}
  - {{name: knn, source: {text}/test.de, reference: {text}/test.en}}
evaluate: {{language: en, resamples: 10}}
"""


@dataclass
class Setup:
    top: Path   # the bundle
    work: Path
    device: str
    quick: bool
    threads: int

    def library(self, name, *arguments):
        return [self.top / "bin/with-libraries", name, *map(str, arguments)]

    def knnseq(self, ranks, *arguments, device=None):
        """Ranks share the threads."""
        start = [self.top / "bin/mpirun", "-n", str(ranks)] if ranks > 1 else []
        threads = max(1, self.threads // ranks)
        return [*start, self.top / "bin/knnseq", *map(str, arguments),
                "--set", f"device={device or self.device}", "--set", f"threads={threads}"]

    def size(self, real, quick):
        return quick if self.quick else real

    def gpu_test(self, name, limit, *cases, expects=()):
        return Step(f"test_gpu_{name}" + (f" {' '.join(cases)}" if cases else ""), limit,
                    self.library(f"gpu/test_gpu_{name}", *cases), read=passed_cases, expects=expects,
                    needs_gpu=True)


def passed_cases(text):
    """Of a Catch2 test; under compute-sanitizer its summary too."""
    found = figures_of(text)
    said = re.findall(r"All tests passed.*|=+ ERROR SUMMARY.*", text)
    if not any("All tests passed" in line for line in said):
        raise ValueError("it does not say that all tests passed")
    found.result = "; ".join(line.strip("= ") for line in said)
    return found


# The demo: on the CPU, then on the device.

def write_demo(setup, name):
    """A config for a new run directory, and its text: the first pairs of the demo's corpus."""
    text, run = setup.work / "text", setup.work / name
    text.mkdir(parents=True, exist_ok=True)
    shutil.rmtree(run, ignore_errors=True)
    for part, lines in (("datastore", setup.size(6000, 200)), ("test", setup.size(1000, 10))):
        for side in "de", "en":
            source = setup.top / f"data/libreoffice/{part}.{side}"
            kept = source.read_text(encoding="utf-8").split("\n")[:lines]
            (text / f"{part}.{side}").write_text("\n".join(kept).rstrip("\n") + "\n", encoding="utf-8")
    config = setup.work / f"{name}.yaml"
    factory = setup.size("OPQ32_128,IVF256,PQ32", "OPQ16_64,IVF16,PQ16")
    config.write_text(DEMO.format(run=run, top=setup.top, text=text, factory=factory), encoding="utf-8")
    return config


def rates_of(run, names=None):
    """Each stage's rate, and where its time went, from the records that it kept."""
    found = Found()
    for path in sorted((run / "records").glob("*.json")):
        record = json.loads(path.read_text(encoding="utf-8"))
        if names is not None and record["stage"] not in names:
            continue
        rate = record["items"] / max(record["work_seconds_max"], 1e-9)
        found.figures.append(Figure(record["stage"], rate, f"{record['unit']}/s"))
        details = {key: round(value, 2) if isinstance(value, float) else value
                   for key, value in record.get("details", {}).items()}
        if details:
            found.where.append(f"{record['stage']}: {json.dumps(details)}")
    if not found.figures:
        raise ValueError(f"{run} has no records")
    return found


def demo_steps(setup, name, ranks, device, limit):
    """The whole pipeline on the small demo."""
    run = setup.work / name

    def read(text):
        found = rates_of(run)
        found.where += re.findall(r"search on rank 0: .*", text)
        found.result = ", ".join(f"{figure.name} {figure.value:,.0f} {figure.unit}" for figure in found.figures)
        for figure in found.figures:
            figure.name = f"{name}: {figure.name}"
        return found

    title = f"small demo, {ranks} rank{'s' * (ranks > 1)}, {'CPU' if device == 'cpu' else 'GPU'}, {name}"
    config = write_demo(setup, name)
    return Step(title, limit, setup.knnseq(ranks, "run", "--config", config, device=device), read)


def compare_bleu(setup, name, cpu, step):
    """Against that of the run named cpu."""
    def bleus(run):
        scores = json.loads((setup.work / run / "evaluate/scores.json").read_text(encoding="utf-8"))["scores"]
        return {score["name"]: score["bleu"]["score"] for score in scores}

    def read(_text):
        ours, cpus = bleus(name), bleus("cpu")
        figures = [Figure(f"BLEU of {of} less the CPU's", abs(ours[of] - cpus[of])) for of in cpus]
        return Found(figures, result=", ".join(f"{of}: {ours[of]:.2f}, on the CPU {cpus[of]:.2f}" for of in cpus))

    return Step(f"BLEU of {name}", 1, None, read, needs=(cpu.name, step.name))


# The parts.

def first_look(setup):
    sanitizer = shutil.which("compute-sanitizer") or "/usr/local/cuda/bin/compute-sanitizer"

    def sanitized(tool, limit, *cases):
        return Step(f"test_gpu_kernels under {tool}", limit,
                    [sanitizer, "--tool", tool, "--target-processes", "all", "--error-exitcode", "1",
                     *setup.library("gpu/test_gpu_kernels", *cases)], read=passed_cases, needs_gpu=True)

    cpu = demo_steps(setup, "cpu", 1, "cpu", 30)
    gpu = demo_steps(setup, "first", 1, setup.device, 30)
    return [
        Step("doctor", 20, [setup.top / "bin/knnseq", "doctor"], lambda text: gpus_seen(setup, text)),
        setup.gpu_test("copies", 15),
        setup.gpu_test("kernels", 30, expects=("neighbours that are the CPU's",)),
        cpu, gpu, compare_bleu(setup, "first", cpu, gpu),
        # Without the cases of a million codes: the tool is a hundred times slower.
        sanitized("memcheck", 30, "~a million codes*", "~a hundred thousand*"),
        sanitized("racecheck", 18, "~a million codes*", "~a hundred thousand*"),
    ]


def gpus_seen(setup, text):
    lines = [line.strip() for line in text.splitlines() if "| GPU" in line]
    if not lines and setup.device == "cuda":
        raise ValueError("no rank sees a GPU")
    return Found(result=lines[0] if lines else "")


def fidelity(setup):
    cpu = demo_steps(setup, "cpu", 1, "cpu", 30)
    two = demo_steps(setup, "two-ranks", 2, setup.device, 40)
    return [
        setup.gpu_test("model", 30, expects=("keys in fp32, relative error", "keys in bf16, relative error")),
        setup.gpu_test("training", 35, "~a training takes about the memory*",
                       expects=("codes that are the CPU's", "codebook error by the CPU's")),
        setup.gpu_test("decode", 20),
        setup.gpu_test("nccl", 15),
        cpu, two, compare_bleu(setup, "two-ranks", cpu, two),
    ]


def speed(setup):
    model = setup.work / "wmt19"
    sizes = setup.size(["--wmt19"], ["--width", "64", "--layers", "1", "--vocab", "8000"])
    make = Step("make a model of WMT19's size", 30,
                [sys.executable, setup.top / "tests/benchmarks/make_random_model.py", model, *sizes],
                lambda text: Found())
    dtype = "bf16" if setup.device == "cuda" else "fp32"
    return [
        make,
        Step("encode with it", 45,
             setup.library("encode_speed-cuda", model, setup.top / "models/demo-de-en/test.tsv", dtype,
                           setup.size(5, 1), "--device", setup.device, "--max-tokens", setup.size(16000, 2000)),
             read_encoding, needs=(make.name,)),
        scan_step(setup, "10 M codes", 35, setup.size(10_000_000, 20_000)),
        scan_step(setup, "100 M codes", 65, setup.size(100_000_000, 50_000)),
    ]


def read_encoding(text):
    found = figures_of(text)
    rate = number(text, r"best (\d+) keys/s", "the best rate")
    found.figures.append(Figure("encoding, model of WMT19's size, bf16", rate, "keys/s"))
    found.result = next(line for line in text.splitlines() if line.startswith("best "))
    found.where.insert(0, found.result)
    return found


def scan_step(setup, what, limit, codes, *options):
    """The best share of the bound that a scan reached, and its bytes and bandwidth."""
    def read(text):
        found = figures_of(text)
        lines = re.findall(r"^ +(\d+ queries, k \d+: .*GB/s), +([\d.]+) % of the bound", text, re.MULTILINE)
        if not lines:
            raise ValueError("it says nothing of a scan")
        best = max(lines, key=lambda line: float(line[1]))
        found.figures.append(Figure(f"scan of {what}, share of its bound", float(best[1]) / 100))
        found.figures.append(Figure(f"scan of {what}", number(best[0], r"([\d.]+) GB/s", "the rate"), "GB/s"))
        found.result = f"{best[0]}, {best[1]} % of the bound"
        found.where += [line.strip() for line in text.splitlines()
                        if re.search("GB/s|look-ups|vectors/s", line)]
        return found

    return Step(f"scan of {what}", limit,
                setup.library("scan_speed", codes, *options, "--device", setup.device,
                              *(["--queries", 32] if setup.quick else [])), read)


def scale(setup):
    """131,072 lists, then 20 M entries: first as random codes, then by the whole pipeline."""
    lists = setup.size(131_072, 64)
    rows, width = setup.size((1_048_576, 1024), (8192, 64))
    factory = setup.size("OPQ64_256,IVF131072,PQ64", "OPQ8_32,IVF64,PQ8")
    entries = "20 M random codes"
    return [
        Step("decode with random codes", 35,
             setup.library("step_speed-cuda", "--device", setup.device, "--entries",
                           setup.size(20_000_000, 20_000), "--sentences", setup.size(256, 4)),
             lambda text: read_steps(text, entries)),
        Step(f"assign to {lists:,} lists", 25,
             setup.library("assign_speed-cuda", "random", setup.size(262_144, 8192), setup.size(256, 32), lists,
                           setup.threads, setup.device), read_assignment),
        Step(f"train {lists:,} lists and add", 45,
             setup.library("train_speed-cuda", "random", rows, width, factory, "l2", setup.threads,
                           setup.work / "training", f"device={setup.device}"), read_training),
        *large_steps(setup),
    ]


def read_steps(text, entries):
    found = figures_of(text)
    rates = {name: number(text, rf"(?m)^{name}: ([\d.]+) tokens/s", f"the rate {name}")
             for name in ("without kNN", "with kNN")}
    for name, rate in rates.items():
        found.figures.append(Figure(f"decoding {name}, {entries}", rate, "tokens/s"))
    found.figures.append(Figure(f"decoding with kNN by the speed without, {entries}",
                                rates["with kNN"] / rates["without kNN"]))
    return found


def read_assignment(text):
    found = figures_of(text)
    ratio = number(text, r"exact by bf16 ([\d.]+) times", "the speed by bf16")
    found.figures.append(Figure("assignment to 131,072 lists by bf16 by the speed of fp32 products", ratio))
    found.where += [line for line in text.splitlines() if "rows/s" in line]
    return found


def read_training(text):
    made = json.loads(text.strip().splitlines()[-1])
    return Found([Figure("training at 131,072 lists", made["train_seconds"], "s"),
                  Figure("adding at 131,072 lists", made["vectors_per_second"], "vectors/s")],
                 where=last_of_each_phase(text))


def last_of_each_phase(text):
    """Of lines such as "   12.3 s  coarse iteration 3/10: …" the last of each kind: when it ended."""
    last = {}
    for time_, phase, rest in re.findall(r"(?m)^ *([\d.]+ s)  (\D+)(.*)$", text):
        last[phase] = f"{time_}: {phase}{rest}"
    return list(last.values())


def large_steps(setup):
    """The demo's corpus 22 times over: 20.3 million entries. Started again with the same --work it goes on
    where it was."""
    run = setup.work / "large"
    copies, folder = setup.size(22, 1), setup.top / "data/libreoffice"
    options = ["--config", setup.top / "configs/gpu-large.yaml", "--set", f"run_dir={run}",
               "--set", f"model={setup.top}/models/demo-de-en"]
    if setup.quick:
        write_demo(setup, "quick")
        folder = setup.work / "text"
        options += ["--set", "datastore.sample=4096", "--set", "knn.nprobe=8",
                    "--set", "index.factory=OPQ16_64,IVF16,PQ16",
                    "--set", "subset.index=PCAW32,L2norm,Flat",
                    "--set", "subset.codes=OPQ16_64,PQ16", "--set", "subset.sentences=32"]
    for side, key in (("de", "source"), ("en", "target")):
        options += ["--set", f"corpus.{key}=[{','.join([f'{folder}/datastore.{side}'] * copies)}]"]
    kinds = ("base", "knn: false"), ("knn", "knn: true"), ("subset", "mode: subset")
    text = f"source: {folder}/test.de, reference: {folder}/test.en"
    items = ",".join(f"{{name: {name}, {text}, {more}}}" for name, more in kinds)
    options += ["--set", f"decode=[{items}]"]

    def read(text):
        names = ["encode", "train", "add", "decode-base", "decode-knn", "decode-subset"]
        found = rates_of(run, names)
        rates = {figure.name: figure.value for figure in found.figures}
        for figure in found.figures:
            figure.name = f"20 M entries: {figure.name}"
        for name in "knn", "subset":
            what = {"knn": "with kNN", "subset": "in subsets"}[name]
            found.figures.append(Figure(f"decoding {what} by the speed without, 20 M entries",
                                        rates[f"decode-{name}"] / rates["decode-base"]))
        found.where += re.findall(r"search on rank 0: .*", text)
        return found

    first = Step("read the text of 20 M entries", 20,
                 setup.knnseq(min(8, setup.threads), "partition", *options, device="cpu"), lambda text: Found())
    return [first, Step("20 M entries, the whole pipeline", 90, setup.knnseq(1, "run", *options), read,
                        needs=(first.name,))]


def memory(setup):
    return [
        setup.gpu_test("training", 50, "a training takes about the memory*",
                       expects=("memory of training by what was told",)),
        scan_step(setup, "1,000 M codes of 32 bytes", 120, setup.size(1_000_000_000, 50_000), "--bytes", 32,
                  "--tables", "fp16", *([] if setup.quick else ["--queries", 320])),
    ]


PARTS = {
    1: ("first look: doctor, copies, kernels against the CPU, small demo, compute-sanitizer", first_look),
    2: ("fidelity: keys, codebooks, codes, search, translations, two ranks on one GPU, NCCL", fidelity),
    3: ("speed: encoding at WMT19's size, scans of 10 and 100 million codes", speed),
    4: ("scale: 131,072 lists, decoding with 20 million entries", scale),
    5: ("memory: training against its plan, a billion codes of 32 bytes as far as they fit", memory),
}


def machine_facts():
    """What the table says of the machine; never fails."""
    facts = {"processors": os.cpu_count()}
    query = ["nvidia-smi", "--query-gpu=name,driver_version,memory.total", "--format=csv,noheader"]
    try:
        done = subprocess.run(query, capture_output=True, text=True, timeout=15)
        facts["GPU"] = done.stdout.strip().replace("\n", "; ") or done.stderr.strip() or "nvidia-smi finds none"
    except (OSError, subprocess.TimeoutExpired) as problem:
        facts["GPU"] = f"nvidia-smi does not run: {problem}"
    return facts


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--list", action="store_true", help="the parts")
    parser.add_argument("--part", type=int, choices=PARTS)
    parser.add_argument("--out", type=Path, default=Path("gpu-check"), help="tables and logs")
    parser.add_argument("--work", type=Path, help="what is large; default: OUT/work")
    parser.add_argument("--device", choices=("cuda", "cpu"), default="cuda")
    parser.add_argument("--quick", action="store_true", help="small sizes, which prove and measure nothing")
    args = parser.parse_args()
    if args.list:
        for number_, (title, _) in PARTS.items():
            print(f"{number_}  {title}")
        return 0
    if args.part is None:
        parser.error("--part N or --list")
    top = Path(__file__).resolve().parents[1]
    if not (top / "bin/with-libraries").exists():
        print("gpu_check.py: start it in a folder that scripts/bundle.sh --tests has made", file=sys.stderr)
        return 2
    title, steps = PARTS[args.part]
    work = (args.work or args.out / "work").resolve()
    work.mkdir(parents=True, exist_ok=True)
    threads = int(os.environ.get("OMP_NUM_THREADS") or os.cpu_count())
    setup = Setup(top, work, args.device, args.quick, threads)
    said = f"Part {args.part}, {title}" + (" (QUICK: small sizes)" if args.quick else "") + \
        (" (ON THE CPU)" if args.device == "cpu" else "")
    measures = args.device == "cuda" and not args.quick
    bars = {name: bar for name, bar in BARS.items() if measures or bar.must}
    patience = 1 if args.device == "cuda" else PATIENCE
    check = Check(said, (args.out / f"part-{args.part}").resolve(), patience * SECONDS, bars=bars,
                  facts=machine_facts(), has_gpu=args.device == "cuda",
                  environment={"OMP_NUM_THREADS": str(threads)})
    os.chdir(top)  # the tests read their files from here
    try:
        planned = steps(setup)
    except Exception as problem:  # noqa: BLE001 the table says it
        planned = [Step("prepare", 1, ["false"], None)]
        check.facts["cannot be prepared"] = f"{type(problem).__name__}: {problem}"
    for step in planned:
        step.limit *= patience
    passed = check.run(planned)
    print("\n" + check.table())
    return 0 if passed else 1


if __name__ == "__main__":
    sys.exit(main())
