"""`script/package` with the binary under test: the archive, the Debian package, and the life of an installed package.

dpkg installs into a copy of this system, an overlay in a mount namespace of its own, so this system does not change. That needs
root and mounts; otherwise the test is skipped.
"""

import gzip
import io
import json
import os
import re
import shutil
import subprocess
import tarfile
import tempfile

import pytest

from trinity_server import BINARY, REPOSITORY, Server, free_port


def needs(*tools):
    missing = [tool for tool in tools if not shutil.which(tool)]
    return pytest.mark.skipif(bool(missing), reason=f"not installed: {', '.join(missing)}")


pytestmark = needs("dpkg-deb", "strip", "objdump")


def run(*command, **options):
    """A command that must succeed; what it printed."""
    done = subprocess.run([str(part) for part in command], capture_output=True, text=True, timeout=60, **options)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout + done.stderr


# The time of everything in the archives.
EPOCH = int(run("git", "log", "-1", "--format=%ct", cwd=REPOSITORY))


def build(folder):
    environment = {"SOURCE_DATE_EPOCH": str(EPOCH), "PACKAGE_MAINTAINER": "A Person <person@debian.org>"}
    printed = run(REPOSITORY / "script/package", REPOSITORY / BINARY, folder, env=os.environ | environment)
    assert printed.split() == [str(path) for pattern in ("*.tar.gz", "*.deb") for path in folder.glob(pattern)]
    return folder


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return build(tmp_path_factory.mktemp("package"))


@pytest.fixture(scope="module")
def archive(folder):
    return next(folder.glob("*.tar.gz"))


@pytest.fixture(scope="module")
def package(folder):
    return next(folder.glob("trinity_*.deb"))


@pytest.fixture(scope="module")
def members(package):
    """What the Debian package installs: entries of the archive by path."""
    with tarfile.open(fileobj=io.BytesIO(data_of(package))) as tar:
        return {member.name.removeprefix("."): member for member in tar}


@pytest.fixture(scope="module")
def texts(package):
    """The bytes of each file of the Debian package by path."""
    with tarfile.open(fileobj=io.BytesIO(data_of(package))) as tar:
        return {member.name.removeprefix("."): tar.extractfile(member).read() for member in tar if member.isfile()}


def field(package, name):
    return run("dpkg-deb", "--field", package, name).strip()


def next_version(package, scratch):
    """The same package as a later version, beside it."""
    version = field(package, "Version")
    tree, later = scratch / "tree", package.with_name("later.deb")
    run("dpkg-deb", "--raw-extract", package, tree)
    control = tree / "DEBIAN/control"
    control.write_text(control.read_text().replace(f"Version: {version}", f"Version: {version}.later"))
    run("dpkg-deb", "--root-owner-group", "-Znone", "--build", tree, later)
    return later


def data_of(package):
    return subprocess.run(["dpkg-deb", "--fsys-tarfile", package], capture_output=True, check=True).stdout


def unit_of(texts):
    return texts["/usr/lib/systemd/system/trinity.service"].decode()


MODEL_FILES = [path.name for path in (REPOSITORY / "Models/trinity-tiny").iterdir()]


# MARK: Contents

def test_the_same_binary_gives_the_same_bytes(folder, tmp_path):
    again = build(tmp_path)
    for path in again.iterdir():
        assert path.read_bytes() == (folder / path.name).read_bytes(), path.name


def test_the_version_names_the_commit_and_sorts_before_its_release(package):
    release, version = run(REPOSITORY / BINARY, "--version").strip(), field(package, "Version")
    if version != release:
        time, commit = run(
            "git", "log", "-1", "--date=format-local:%Y%m%d%H%M%S", "--format=%cd %H", cwd=REPOSITORY,
            env=os.environ | {"TZ": "UTC"}).split()
        assert re.fullmatch(rf"{re.escape(release)}~git{time}\.{commit[:8]}(\.modified)?", version)
        run("dpkg", "--compare-versions", version, "lt", release)
        run("dpkg", "--compare-versions", version, "gt", f"{release}~git20000101000000.ffffffff")


def test_the_archive_runs_from_any_folder(archive, tmp_path):
    with tarfile.open(archive) as tar:
        entries = tar.getmembers()
        tar.extractall(tmp_path, filter="data")
    assert {(entry.uid, entry.gid, entry.uname, entry.mtime) for entry in entries} == {(0, 0, "", EPOCH)}
    [prefix] = tmp_path.iterdir()
    assert prefix.name == archive.name.removesuffix(".tar.gz")
    share = prefix / "share"
    for path in (
        "man/man1/trinity.1.gz", "bash-completion/completions/trinity", "zsh/site-functions/_trinity",
        "fish/vendor_completions.d/trinity.fish", "doc/trinity/LICENSE", "doc/trinity/README.md",
        *(f"trinity/trinity-tiny/{name}" for name in MODEL_FILES),
    ):
        assert (share / path).is_file(), path
    answer = run(
        prefix / "bin/trinity", "complete", "--model", share / "trinity/trinity-tiny", "--max-tokens", "4", "Once upon",
        cwd=tmp_path)
    assert answer.strip()


def test_the_debian_package_has_what_belongs_to_it(package, members):
    for path in (
        "/usr/bin/trinity", "/usr/share/man/man1/trinity.1.gz", "/usr/share/bash-completion/completions/trinity",
        "/usr/share/zsh/vendor-completions/_trinity", "/usr/share/fish/vendor_completions.d/trinity.fish",
        "/usr/share/doc/trinity/copyright", "/usr/share/doc/trinity/README.md", "/etc/trinity/server.json",
        "/usr/lib/systemd/system/trinity.service", *(f"/usr/share/trinity/trinity-tiny/{name}" for name in MODEL_FILES),
    ):
        assert members[path].isfile(), path
    for path, member in members.items():
        executable = member.isdir() or path == "/usr/bin/trinity"
        assert (member.mode, member.uid, member.gid, member.mtime) == (0o755 if executable else 0o644, 0, 0, EPOCH), path
    assert field(package, "Version") in package.name
    assert run("dpkg-deb", "--info", package, "conffiles").split() == ["/etc/trinity/server.json"]


def test_the_package_depends_on_every_library_of_the_system(package):
    depends = field(package, "Depends")
    for name in re.findall(r"NEEDED\)\s+Shared library: \[(.*)\]", run("readelf", "--dynamic", REPOSITORY / BINARY)):
        # Those of Swift are in a static binary.
        if re.match(r"lib(swift|_?Foundation|dispatch|BlocksRuntime)", name):
            continue
        owner = {"libm.so.6": "libc6", "libc.so.6": "libc6", "ld-linux-x86-64.so.2": "libc6", "libssl.so.3": "libssl3",
                 "libcrypto.so.3": "libssl3", "libstdc++.so.6": "libstdc++6", "libgcc_s.so.1": "libgcc-s1",
                 "libz.so.1": "zlib1g"}[name]
        assert re.search(rf"(^|, ){re.escape(owner)}( \(|,|$)", depends), name


@needs("lintian")
def test_lintian_finds_no_error(package):
    # A binary for development finds Swift's libraries where the compiler is; a static one has them.
    is_static = "/swift/" not in run("readelf", "--dynamic", REPOSITORY / BINARY)
    suppressed = [] if is_static else ["--suppress-tags", "custom-library-search-path"]
    run("lintian", "--allow-root", "--fail-on", "error", *suppressed, package)


# MARK: Man page and completions

@pytest.fixture(scope="module")
def manual(texts):
    """The man page without its markup."""
    text = gzip.decompress(texts["/usr/share/man/man1/trinity.1.gz"]).decode()
    return re.sub(r"\\f[BIR]", "", text).replace("\\-", "-")


def test_the_man_page_has_every_command_and_option(manual):
    listing = run(REPOSITORY / BINARY, "--help")
    commands = re.findall(r"^  ([a-z]+)  ", listing.split("SUBCOMMANDS:")[1], re.MULTILINE)
    assert len(commands) >= 10
    sections = dict(re.findall(r"^\.SH ([A-Z]+)\n(.*?)(?=^\.SH )", manual, re.MULTILINE | re.DOTALL))
    compared = 0
    for command in commands:
        options = re.findall(r"^  (?:-\w, )?(--\S+)", run(REPOSITORY / BINARY, command, "--help"), re.MULTILINE)
        text = sections[command.upper()] + (sections["SERVE"] if command == "config" else "")
        for option in "/".join(options).split("/"):
            if option not in ("--help", "--version"):
                assert re.search(rf"^(--\S+, )?{option}( |,|$)", text, re.MULTILINE), f"{command} {option}"
                compared += 1
    assert compared > 100


@needs("man", "groff")
def test_the_man_page_has_no_mistake_in_its_markup(texts, tmp_path):
    page = tmp_path / "trinity.1"
    page.write_bytes(gzip.decompress(texts["/usr/share/man/man1/trinity.1.gz"]))
    environment = os.environ | {"MANWIDTH": "100", "LC_ALL": "C.UTF-8"}
    assert run("man", "--warnings", "-E", "UTF-8", "-l", "-Tutf8", "-Z", page, env=environment).startswith("x T utf8")


@pytest.mark.parametrize("shell, path", [
    ("bash", "bash-completion/completions/trinity"), ("zsh", "zsh/vendor-completions/_trinity"),
    ("fish", "fish/vendor_completions.d/trinity.fish")])
def test_the_shell_reads_its_completions(shell, path, texts, tmp_path):
    if not shutil.which(shell):
        pytest.skip(f"{shell} is not installed")
    script = tmp_path / "completions"
    script.write_bytes(texts["/usr/share/" + path])
    assert b"max-model-len" in texts["/usr/share/" + path]
    assert run(shell, "-n", script) == ""


# MARK: The service

def test_the_unit_is_that_of_deploy_with_the_paths_and_the_user_of_the_package(texts):
    lines = lambda text: {line for line in text.splitlines() if line and line[0] != "#"}
    plain, packaged = lines((REPOSITORY / "deploy/trinity.service").read_text()), lines(unit_of(texts))
    assert packaged - plain == {
        "Documentation=man:trinity(1)", "ExecStart=/usr/bin/trinity serve --config /etc/trinity/server.json",
        "EnvironmentFile=-/etc/trinity/trinity.env", "User=trinity", "Group=trinity"}
    assert plain - packaged == {
        "ExecStart=/usr/local/bin/trinity serve", "EnvironmentFile=/etc/trinity/trinity.env", "DynamicUser=yes",
        "Environment=TRINITY_SHUTDOWN_TIMEOUT=60"}
    drain = json.loads(texts["/etc/trinity/server.json"])["shutdown-timeout"]
    assert drain + 10 <= int(re.search(r"TimeoutStopSec=(\d+)", unit_of(texts))[1])


@needs("systemd-analyze")
def test_systemd_takes_the_unit_and_finds_it_well_shut(texts, tmp_path):
    unit = tmp_path / "trinity.service"
    unit.write_text(unit_of(texts).replace("/usr/bin/trinity", "/bin/true"))
    assert run("systemd-analyze", "verify", "--man=no", unit).strip() == ""
    run("systemd-analyze", "security", "--offline=true", "--threshold=20", unit)


# MARK: Installed

class Machine:
    """A copy of this system, in a mount namespace that ends with this object. `/mnt` is the folder of the packages."""

    MOUNTS = """
        set -e
        base=$1; folder=$2; shift 2
        mount -t tmpfs -o mode=755 none "$base"
        mkdir "$base/upper" "$base/work" "$base/merged"
        mount -t overlay -o lowerdir=/,upperdir="$base/upper",workdir="$base/work" none "$base/merged"
        for path in /proc /dev "$@"; do mkdir -p "$base/merged$path"; mount --rbind "$path" "$base/merged$path"; done
        mount --bind "$folder" "$base/merged/mnt"
        echo mounted
        exec cat
    """

    def __init__(self, base, folder):
        self.base = base
        libraries = re.findall(r"RUNPATH.*\[(/[^:\]]*)", run("readelf", "--dynamic", REPOSITORY / BINARY))
        self.process = subprocess.Popen(
            ["unshare", "--mount", "--propagation", "private", "sh", "-c", self.MOUNTS, "sh", base, folder, *libraries],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
        if self.process.stdout.readline() != "mounted\n":
            pytest.skip(f"no overlay can be mounted: {self.process.communicate()[1].strip()}")

    def outside(self, *command):
        """The command in the namespace, but outside the copy."""
        return ["nsenter", f"--mount=/proc/{self.process.pid}/ns/mnt", *map(str, command)]

    def inside(self, *command, user="root"):
        return self.outside("chroot", f"--userspec={user}:{user}", self.base / "merged", *command)

    def run(self, *command):
        environment = os.environ | {"DEBIAN_FRONTEND": "noninteractive", "LC_ALL": "C.UTF-8"}
        return run(*self.inside(*command), env=environment, stdin=subprocess.DEVNULL)

    def has(self, path):
        # A link counts, whether or not there is what it names.
        return subprocess.run(self.inside("sh", "-c", f"[ -e {path} ] || [ -L {path} ]")).returncode == 0

    def changed(self):
        """Paths that differ from this system."""
        return set(run(*self.outside("find", self.base / "upper", "-not", "-type", "d", "-printf", "/%P\n")).split())

    def accounts(self):
        return self.run("sh", "-c", "cd /etc; cat passwd group shadow gshadow; cat subuid subgid 2>/dev/null || true")

    def end(self):
        self.process.communicate()


class InstalledServer(Server):
    """The server as the unit starts it, on a port of its own."""

    def __init__(self, machine):
        self.port = free_port()
        self.log = tempfile.NamedTemporaryFile(prefix="trinity-", suffix=".log")
        unit = machine.run("cat", "/usr/lib/systemd/system/trinity.service")
        setting = lambda name: re.search(rf"^{name}=(.*)$", unit, re.MULTILINE)[1]
        command = machine.inside(*setting("ExecStart").split(), user=setting("User"))
        self.process = subprocess.Popen(
            command, env={"PATH": os.environ["PATH"], "TRINITY_PORT": str(self.port)}, stdin=subprocess.DEVNULL, stdout=self.log,
            stderr=subprocess.STDOUT)


@pytest.fixture
def machine(folder, tmp_path):
    if os.getuid():
        pytest.skip("only root can install a package")
    made = Machine(tmp_path, folder)
    yield made
    made.end()


# Without the index of man pages, which another package rebuilds for seconds after each change.
DPKG = ("dpkg", "--no-triggers")
BINARY_PATH, SETTINGS = "/usr/bin/trinity", "/etc/trinity/server.json"
ENABLED = "/etc/systemd/system/multi-user.target.wants/trinity.service"
MASKED = "/etc/systemd/system/trinity.service"


@needs("adduser", "unshare", "nsenter", "deb-systemd-helper")
def test_the_package_installs_serves_upgrades_and_leaves_nothing(package, machine, tmp_path_factory):
    later = next_version(package, tmp_path_factory.mktemp("later"))
    accounts = machine.accounts()

    machine.run(*DPKG, "--install", f"/mnt/{package.name}")
    assert machine.run("dpkg", "--verify", "trinity") == ""
    assert machine.run("getent", "passwd", "trinity").strip().endswith(":/nonexistent:/usr/sbin/nologin")
    assert machine.has(ENABLED)
    with InstalledServer(machine) as server:
        status = f"/proc/{server.process.pid}/status"
        uid = machine.run("id", "--user", "trinity").strip()
        assert re.search(rf"^Uid:\s+{uid}\s", open(status).read(), re.MULTILINE)
        body = {"model": "trinity-tiny", "prompt": "Once", "max_tokens": 4}
        assert server.post("/v1/completions", body).json["usage"]["completion_tokens"] == 4

    # An upgrade keeps what the administrator has changed, and a service that is disabled.
    edited = json.dumps(json.loads(machine.run("cat", SETTINGS)) | {"served-model-name": "mine"})
    machine.run("sh", "-c", f"echo '{edited}' > {SETTINGS}; echo TRINITY_API_KEY=secret > /etc/trinity/trinity.env")
    machine.run("rm", ENABLED)
    machine.run(*DPKG, "--install", f"/mnt/{later.name}")
    state = machine.run("dpkg-query", "--show", "--showformat=${Version} ${Status}", "trinity")
    assert state == f"{field(package, 'Version')}.later install ok installed"
    assert machine.run("cat", SETTINGS).strip() == edited
    assert not machine.has(ENABLED)
    with InstalledServer(machine) as server:
        assert server.get("/v1/models").json["data"][0]["id"] == "mine"

    # A removal keeps the configuration, for the next installation.
    machine.run(*DPKG, "--remove", "trinity")
    assert not machine.has(BINARY_PATH) and not machine.has("/usr/share/trinity") and machine.has(MASKED)
    assert machine.run("cat", SETTINGS).strip() == edited
    machine.run(*DPKG, "--install", f"/mnt/{later.name}")
    assert machine.has(BINARY_PATH) and not machine.has(MASKED)
    assert machine.run("cat", SETTINGS).strip() == edited

    machine.run(*DPKG, "--purge", "trinity")
    left = {path for path in machine.changed() if "trinity" in path}
    assert left == set()
    assert not machine.has("/etc/trinity")
    assert machine.accounts() == accounts
    # What remains is what dpkg and its helpers write whenever they run.
    bookkeeping = re.compile(
        r"/(var/(lib/dpkg|log|cache|backups)/.*|etc/(passwd|group|shadow|gshadow|subuid|subgid)-?|etc/\.pwd\.lock|run/adduser)")
    assert {path for path in machine.changed() if not bookkeeping.fullmatch(path)} == set()


def test_a_file_that_is_no_binary_is_refused(tmp_path):
    done = subprocess.run([REPOSITORY / "script/package"], capture_output=True, text=True)
    assert done.returncode == 64 and "usage:" in done.stderr
    done = subprocess.run([REPOSITORY / "script/package", "/bin/false", tmp_path], capture_output=True, text=True)
    assert done.returncode != 0 and not list(tmp_path.iterdir())
