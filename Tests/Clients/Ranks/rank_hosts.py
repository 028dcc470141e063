"""Hosts on one machine: network namespaces that a switch joins, with a delay and loss. Needs the rights of root."""

import concurrent.futures
import ctypes
import os
import pathlib
import shutil
import socket
import stat
import subprocess
import sys
import tempfile
import time

CLONE_NEWNET = 0x40000000
SLOW_SWITCH = pathlib.Path(__file__).with_name("slow_switch.py")


def run(*command):
    done = subprocess.run([str(part) for part in command], capture_output=True, text=True)
    assert done.returncode == 0, f"{command}: {done.stderr}"


class RankHosts:
    """`count` hosts with the addresses 10.77.0.1, 10.77.0.2, ...; each packet takes `delay` seconds, and a share of `loss` is lost.

    The delay and the loss are those of the kernel's netem. Not every kernel has it: without it, a program is the switch.
    """

    def __init__(self, count, delay=0, loss=0):
        self.count, self.delay, self.loss = count, delay, loss
        self.prefix = f"trinity-{os.getpid()}-"
        self.folder = pathlib.Path(tempfile.mkdtemp(prefix="trinity-hosts-"))
        self.clients = concurrent.futures.ThreadPoolExecutor(max_workers=1)
        self.switch = None

    def namespace(self, host):
        return f"{self.prefix}{host}"

    def inside(self, host, *command):
        return ["ip", "netns", "exec", self.namespace(host), *command]

    def __enter__(self):
        switch = self.namespace("switch")
        run("ip", "netns", "add", switch)
        ports = [f"port{host}" for host in range(1, self.count + 1)]
        for host, port in enumerate(ports, 1):
            run("ip", "netns", "add", self.namespace(host))
            run(*self.inside(host, "ip", "link", "add", "eth0", "type", "veth", "peer", "name", port, "netns", switch))
            run(*self.inside("switch", "ip", "link", "set", port, "up"))
            run(*self.inside(host, "ip", "address", "add", f"10.77.0.{host}/24", "dev", "eth0"))
            for device in ("lo", "eth0"):
                run(*self.inside(host, "ip", "link", "set", device, "up"))
            # Sockets of IPv6 take no IPv4 here, unless they ask for it.
            run(*self.inside(host, "sysctl", "-qw", "net.ipv6.bindv6only=1"))
            (self.folder / str(host)).mkdir()
        if not self.delay or self.has_netem():
            run(*self.inside("switch", "ip", "link", "add", "bridge0", "type", "bridge"))
            run(*self.inside("switch", "ip", "link", "set", "bridge0", "up"))
            for port in ports:
                run(*self.inside("switch", "ip", "link", "set", port, "master", "bridge0"))
        else:
            self.switch = subprocess.Popen(
                self.inside("switch", sys.executable, SLOW_SWITCH, str(self.delay), str(self.loss), *ports),
                stdout=subprocess.PIPE)
            assert self.switch.stdout.readline() == b"ready\n"
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

    def has_netem(self):
        """Whether each host's packets could be given the delay and the loss."""
        netem = ["root", "netem", "delay", f"{self.delay * 1e6:.0f}us", "loss", f"{self.loss:%}"]
        return all(
            subprocess.run(self.inside(host, "tc", "qdisc", "add", "dev", "eth0", *netem), capture_output=True).returncode == 0
            for host in range(1, self.count + 1))

    def __exit__(self, *error):
        self.clients.shutdown()
        if self.switch:
            self.switch.kill()
            self.switch.wait()
        for host in [*range(1, self.count + 1), "switch"]:
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

    def connect(self, host, port, source=None):
        """A connection to a port of a host, from that host or another one."""
        def open_inside():
            with open(f"/var/run/netns/{self.namespace(source or host)}") as namespace:
                if ctypes.CDLL(None, use_errno=True).setns(namespace.fileno(), CLONE_NEWNET) != 0:
                    raise OSError(ctypes.get_errno(), "setns")
            return socket.create_connection((f"10.77.0.{host}", port), timeout=120)

        return self.clients.submit(open_inside).result()

    def round_trip(self):
        """The seconds from host 2 to host 1 and back."""
        times = []
        for _ in range(3):  # a packet may be lost, and the first one waits for the address
            begin = time.monotonic()
            try:
                self.connect(1, 1, source=2)
            except ConnectionRefusedError:
                times.append(time.monotonic() - begin)
        return min(times)

    def cut(self, host):
        """Takes the link of a host down."""
        run(*self.inside("switch", "ip", "link", "set", f"port{host}", "down"))


def can_make_hosts():
    if os.geteuid() != 0 or not shutil.which("ip"):
        return False
    hosts = RankHosts(1)
    try:
        hosts.__enter__()
    except (AssertionError, OSError):
        return False
    finally:
        hosts.__exit__()
    return True
