"""Several hosts on one machine: network namespaces, each with a name and an address of its own, joined by a
bridge. Inside private_namespaces.enter("--net"): all of it is gone with the test's processes."""
import subprocess

NET = "10.77.0.0/24"
AGENT = """#!/bin/sh
# What mpirun takes for ssh: HOST COMMAND…
host=$1
shift
exec nsenter --target "$(cat {folder}/$host.pid)" --net --uts -- sh -c "$*"
"""


def ip(*words):
    subprocess.run(["ip", *words], check=True)


class HostNetwork:
    def __init__(self, folder, count):
        """Hosts host1 … host<count>, with files in `folder`."""
        folder.mkdir()
        self.folder = folder
        self.names = [f"host{i + 1}" for i in range(count)]
        self.holders = []
        ip("link", "set", "lo", "up")
        ip("link", "add", "bridge", "type", "bridge")
        ip("link", "set", "bridge", "up")
        hosts = "127.0.0.1 localhost\n"
        for number, name in enumerate(self.names, start=1):
            address = f"10.77.0.{number}"
            hosts += f"{address} {name}\n"
            self._add_host(name, address)
        (folder / "hosts").write_text(hosts)
        subprocess.run(["mount", "--bind", folder / "hosts", "/etc/hosts"], check=True)
        (folder / "agent").write_text(AGENT.format(folder=folder))
        (folder / "agent").chmod(0o755)

    def _add_host(self, name, address):
        # The holder keeps the namespaces; its name is set before it says that it is there.
        holder = subprocess.Popen(["unshare", "--net", "--uts", "sh", "-c",
                                   f"hostname {name} && echo there && exec sleep infinity"],
                                  stdout=subprocess.PIPE, text=True)
        self.holders.append(holder)
        if holder.stdout.readline() != "there\n":
            raise AssertionError(f"{name} did not start")
        (self.folder / f"{name}.pid").write_text(str(holder.pid))
        ip("link", "add", name, "type", "veth", "peer", "name", "eth0", "netns", str(holder.pid))
        ip("link", "set", name, "master", "bridge", "up")
        for words in (("link", "set", "lo", "up"), ("addr", "add", f"{address}/24", "dev", "eth0"),
                      ("link", "set", "eth0", "up")):
            self.run_on(name, "ip", *words)

    def run_on(self, host, *command):
        subprocess.run(self.on(host, *command), check=True)

    def on(self, host, *command):
        """The command that runs a command on a host."""
        holder = self.holders[self.names.index(host)]
        return ["nsenter", "--target", str(holder.pid), "--net", "--uts", "--", *command]

    def mpirun(self, *command, bound_seconds, settings=None, hosts=None, ranks=1):
        """So many ranks on each of the first hosts (all of them unless given), started on the first;
        `settings` of Open MPI, by name. mpirun itself is ended after so many seconds, as the batch scripts do."""
        settings = {"plm_rsh_agent": self.folder / "agent", "btl_tcp_if_include": NET,
                    "oob_tcp_if_include": NET,
                    "mpi_yield_when_idle": 1,  # each host believes that it has all cores to itself
                    **(settings or {})}
        options = [str(word) for key, value in settings.items() for word in ("--mca", key, value)]
        return self.on(self.names[0], "timeout", "--kill-after=5", str(bound_seconds),
                       "mpirun", "--host", ",".join(f"{name}:{ranks}" for name in self.names[:hosts]), "--bind-to", "none", "--map-by", "node",
                       *options, *command)

    def cut(self, host):
        """Nothing reaches the host any more, and nobody is told."""
        ip("link", "set", host, "nomaster")

    def mend(self, host):
        ip("link", "set", host, "master", "bridge")

    def close(self):
        """Ends the hosts, and with them their links."""
        subprocess.run(["umount", "/etc/hosts"], check=True)
        for link in (*self.names, "bridge"):  # at once: those of a namespace that ends go some time later
            ip("link", "delete", link)
        for holder in self.holders:
            holder.kill()
            holder.communicate()
