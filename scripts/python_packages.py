"""Tells the user of a script which Python packages it needs, where they are missing."""
import importlib.util
import sys
from pathlib import Path


def lacking(packages, name):
    """What to tell the user of `name` who lacks some of these packages of PyPI: "h5py", or
    "faiss=faiss-cpu" where the module has another name than its package. Empty if all are there."""
    missing = []
    for package in packages:
        module, _, called = package.partition("=")
        if importlib.util.find_spec(module) is None:
            missing.append(called or module)
    if not missing:
        return ""
    return (f"{name}: {sys.executable} (Python {sys.version_info[0]}.{sys.version_info[1]}) lacks "
            f"{', '.join(missing)}; in a virtual environment (python3 -m venv DIR):\n"
            f"  DIR/bin/pip install {' '.join(missing)}\n"
            f"  DIR/bin/python {sys.argv[0]} …\n"
            "scripts/requirements-dev.txt has the versions that were tried.")


def need(*packages):
    """Ends the script unless these packages are there."""
    told = lacking(packages, Path(sys.argv[0]).name)
    if told:
        print(told, file=sys.stderr)
        sys.exit(2)


def require(*packages):
    """Raises ImportError unless these packages are there: for a module that others import."""
    told = lacking(packages, "knnseq")
    if told:
        raise ImportError(told)
