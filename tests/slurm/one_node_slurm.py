"""A Slurm of one node that runs as root in a folder, without systemd, cgroups or anything installed in /etc."""
import os
import secrets
import socket
import subprocess
import time

CONFIG = """
ClusterName=knnseq
SlurmctldHost={node}(127.0.0.1)
SlurmctldPort={controller_port}
SlurmdPort={daemon_port}
SlurmUser=root
SlurmdUser=root
AuthType=auth/munge
AuthInfo=socket={folder}/munge.socket,cred_expire=5
CredType=cred/munge
StateSaveLocation={folder}/state
SlurmdSpoolDir={folder}/spool
SlurmctldPidFile={folder}/slurmctld.pid
SlurmdPidFile={folder}/slurmd.pid
ProctrackType=proctrack/linuxproc
TaskPlugin=task/none
SelectType=select/cons_tres
SelectTypeParameters=CR_Core
SchedulerParameters=batch_sched_delay=0,bf_interval=1,sched_interval=1
MpiDefault=none
JobAcctGatherType=jobacct_gather/none
AccountingStorageType=accounting_storage/none
ReturnToService=2
SlurmdParameters=config_overrides
KillWait=5
PropagateResourceLimits=NONE
NodeName={node} NodeAddr=127.0.0.1 CPUs={cpus} CoresPerSocket={cpus} RealMemory=2000
PartitionName=all Nodes={node} Default=YES MaxTime=INFINITE State=UP
"""


def free_ports(count):
    sockets = [socket.socket() for _ in range(count)]
    for one in sockets:
        one.bind(("127.0.0.1", 0))
    ports = [one.getsockname()[1] for one in sockets]
    for one in sockets:
        one.close()
    return ports


class OneNodeSlurm:
    """Daemons are children of this process; jobs' processes end with the namespaces of the test."""

    def __init__(self, folder, cpus):
        self.folder = folder
        for name in ("state", "spool"):
            (folder / name).mkdir(parents=True)
        key = folder / "munge.key"
        key.write_bytes(secrets.token_bytes(1024))
        key.chmod(0o600)
        controller_port, daemon_port = free_ports(2)
        (folder / "slurm.conf").write_text(CONFIG.format(
            node=socket.gethostname().split(".")[0], folder=folder, cpus=cpus,
            controller_port=controller_port, daemon_port=daemon_port))
        os.environ["SLURM_CONF"] = str(folder / "slurm.conf")
        self.daemons = []

    def start(self):
        self._daemon("munged", "--foreground", f"--key-file={self.folder}/munge.key",
                     f"--socket={self.folder}/munge.socket", f"--pid-file={self.folder}/munged.pid",
                     f"--seed-file={self.folder}/munge.seed")
        wait_until(lambda: (self.folder / "munge.socket").exists(), 20, self.logs)
        self._daemon("slurmctld", "-D", "-c")
        self._daemon("slurmd", "-D", "-c")
        idle = lambda: run("sinfo", "--noheader", "--format=%T", check=False).strip() == "idle"
        wait_until(idle, 30, self.logs)

    def stop(self):
        for daemon in reversed(self.daemons):
            daemon.terminate()
        for daemon in reversed(self.daemons):
            try:
                daemon.wait(timeout=10)
            except subprocess.TimeoutExpired:
                daemon.kill()
                daemon.wait()

    def logs(self):
        """What the daemons said last, for messages."""
        return "\n".join(f"{log.name}:\n" + log.read_text(errors="replace")[-3000:]
                         for log in sorted(self.folder.glob("*.log")))

    def _daemon(self, name, *options):
        with (self.folder / f"{name}.log").open("w") as log:
            self.daemons.append(subprocess.Popen([name, *options], stdin=subprocess.DEVNULL, stdout=log,
                                                 stderr=subprocess.STDOUT))


def run(*command, check=True):
    """What a command printed."""
    done = subprocess.run(command, capture_output=True, text=True, timeout=60)
    if check and done.returncode != 0:
        raise AssertionError(f"{command}: exit code {done.returncode}\n{done.stdout}{done.stderr}")
    return done.stdout


def wait_until(holds, seconds, explain):
    """Looks every few milliseconds; fails with explain() when it takes longer than `seconds`."""
    deadline = time.monotonic() + seconds
    while not holds():
        if time.monotonic() > deadline:
            raise AssertionError(f"waited {seconds} s in vain\n{explain()}")
        time.sleep(0.005)
