"""Hosts on one machine: network namespaces that a bridge joins, with a delay and loss. Needs the rights of root."""

import concurrent.futures
import ctypes
import os
import pathlib
import shutil
import socket
import stat
import subprocess
import tempfile

CLONE_NEWNET = 0x40000000


def run(*command):
    done = subprocess.run([str(part) for part in command], capture_output=True, text=True)
    assert done.returncode == 0, f"{command}: {done.stderr}"


class RankHosts:
    """`count` hosts with the addresses 10.77.0.1, 10.77.0.2, ...; each packet takes `delay` (`None`: no time), and `loss` of them are lost."""

    def __init__(self, count, delay=None, loss="0%"):
        self.count, self.delay, self.loss = count, delay, loss
        self.prefix = f"trinity-{os.getpid()}-"
        self.folder = pathlib.Path(tempfile.mkdtemp(prefix="trinity-hosts-"))
        self.clients = concurrent.futures.ThreadPoolExecutor(max_workers=1)

    def namespace(self, host):
        return f"{self.prefix}{host}"

    def inside(self, host, *command):
        return ["ip", "netns", "exec", self.namespace(host), *command]

    def __enter__(self):
        bridge = self.namespace("bridge")
        run("ip", "netns", "add", bridge)
        run(*self.inside("bridge", "ip", "link", "add", "bridge0", "type", "bridge"))
        run(*self.inside("bridge", "ip", "link", "set", "bridge0", "up"))
        for host in range(1, self.count + 1):
            name = self.namespace(host)
            run("ip", "netns", "add", name)
            run(*self.inside(host, "ip", "link", "add", "eth0", "type", "veth", "peer", "name", f"port{host}", "netns", bridge))
            run(*self.inside("bridge", "ip", "link", "set", f"port{host}", "master", "bridge0", "up"))
            run(*self.inside(host, "ip", "address", "add", f"10.77.0.{host}/24", "dev", "eth0"))
            for device in ("lo", "eth0"):
                run(*self.inside(host, "ip", "link", "set", device, "up"))
            if self.delay:
                run(*self.inside(host, "tc", "qdisc", "add", "dev", "eth0", "root", "netem", "delay", self.delay, "loss", self.loss))
            # Sockets of IPv6 take no IPv4 here, unless they ask for it.
            run(*self.inside(host, "sysctl", "-qw", "net.ipv6.bindv6only=1"))
            (self.folder / str(host)).mkdir()
        # mpirun calls it in place of ssh: with the host, and a command for its shell.
        self.agent = self.folder / "agent"
        self.agent.write_text(
            "#!/bin/sh\n"
            "host=${1##*.}\n"
            "shift\n"
            f"export TMPDIR={self.folder}/$host\n"
            f'exec ip netns exec {self.prefix}$host unshare --uts sh -c "hostname host$host && $*"\n')
        self.agent.chmod(self.agent.stat().st_mode | stat.S_IXUSR)
        return self

    def __exit__(self, *error):
        self.clients.shutdown()
        for host in [*range(1, self.count + 1), "bridge"]:
            subprocess.run(["ip", "netns", "delete", self.namespace(host)], capture_output=True)
        shutil.rmtree(self.folder, ignore_errors=True)

    @property
    def mpirun(self):
        """mpirun on the first host, with a rank on each."""
        hosts = ",".join(f"10.77.0.{host}:1" for host in range(1, self.count + 1))
        network = "10.77.0.0/24"
        parameters = {
            "plm_rsh_agent": self.agent, "btl": "self,tcp", "btl_tcp_if_include": network,
            "oob_tcp_if_include": network, "btl_tcp_eager_limit": 1048576,
            "oob_tcp_keepalive_time": 2, "oob_tcp_keepalive_intvl": 1, "oob_tcp_keepalive_probes": 3}
        options = [part for name, value in parameters.items() for part in ("--mca", name, str(value))]
        return [
            *self.inside(1, "env", f"TMPDIR={self.folder}/1", "unshare", "--uts", "sh", "-c", 'hostname host1 && exec "$@"', "sh"),
            "mpirun", "--allow-run-as-root", "--host", hosts, "--map-by", "ppr:1:node", "--bind-to", "none", *options]

    def connect(self, host, port):
        """A connection to a port of a host, from that host."""
        def open_inside():
            with open(f"/var/run/netns/{self.namespace(host)}") as namespace:
                if ctypes.CDLL(None, use_errno=True).setns(namespace.fileno(), CLONE_NEWNET) != 0:
                    raise OSError(ctypes.get_errno(), "setns")
            return socket.create_connection((f"10.77.0.{host}", port), timeout=120)

        return self.clients.submit(open_inside).result()

    def cut(self, host):
        """Takes the link of a host down."""
        run(*self.inside("bridge", "ip", "link", "set", f"port{host}", "down"))


def can_make_hosts(delay=None):
    """Whether namespaces work here, and with `delay` also delays, which need the kernel's netem."""
    if os.geteuid() != 0 or not shutil.which("ip") or not shutil.which("tc"):
        return False
    hosts = RankHosts(1, delay)
    try:
        hosts.__enter__()
    except (AssertionError, OSError):
        return False
    finally:
        hosts.__exit__()
    return True
