"""Tells the user of a script which Python packages it needs, where they are missing."""
import importlib.util
import sys
from pathlib import Path


def need(*packages):
    """Ends the script unless these packages of PyPI are there: "h5py", or "faiss=faiss-cpu" where the
    module has another name than its package."""
    missing = []
    for package in packages:
        module, _, name = package.partition("=")
        if importlib.util.find_spec(module) is None:
            missing.append(name or module)
    if not missing:
        return
    print(f"{Path(sys.argv[0]).name}: {sys.executable} (Python {sys.version_info[0]}.{sys.version_info[1]}) lacks "
          f"{', '.join(missing)}; in a virtual environment (python3 -m venv DIR):\n"
          f"  DIR/bin/pip install {' '.join(missing)}\n  DIR/bin/python {sys.argv[0]} …\n"
          "scripts/requirements-dev.txt has the versions that were tried.", file=sys.stderr)
    sys.exit(2)
