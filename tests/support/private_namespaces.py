"""A test in namespaces of its own: what it starts, mounts and configures is gone when it ends, however it
ends, since the kernel takes the namespaces down with their first process."""
import os
import subprocess
import sys

SKIPPED = 77  # CTest's SKIP_RETURN_CODE of these tests


def skip(reason):
    print(f"skipped: {reason}")
    sys.exit(SKIPPED)


def enter(*kinds):
    """Goes on in a new process-id and mount namespace and in those of the named kinds ("--net"): starts this
    script once more inside them. Skips the test if the system does not allow that."""
    if os.environ.get("KNNSEQ_IN_NAMESPACES") == "1":
        return
    if os.geteuid() != 0:
        skip("needs root")
    unshare = ["unshare", "--pid", "--fork", "--kill-child", "--mount", "--mount-proc", *kinds]
    tried = subprocess.run([*unshare, "true"], capture_output=True, text=True)
    if tried.returncode != 0:
        skip(f"namespaces are not allowed here: {tried.stderr.strip()}")
    os.environ["KNNSEQ_IN_NAMESPACES"] = "1"
    os.execvp(unshare[0], [*unshare, sys.executable, *sys.argv])
