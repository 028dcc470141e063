"""llama.cpp, fetched from PyPI and built for this CPU: shared by the comparisons with it.

llama-cpp-python's source package carries the whole source of llama.cpp. Everything is written to `.llama.cpp/` beside this file,
which git ignores; a finished build is used again.
"""

import hashlib
import json
import pathlib
import subprocess
import sys
import tarfile
import urllib.request

VERSION = "0.3.36"
# The commit of llama.cpp in it.
COMMIT = "0c1e570"
PACKAGE = f"llama_cpp_python-{VERSION}"
SHA256 = "832db0699007f1be95a7e41ef12e88926b02ba836461e36a36372db2760c1a2e"
INDEX = "https://pypi.org/simple/llama-cpp-python/"
FOLDER = pathlib.Path(__file__).resolve().parent / ".llama.cpp"
SOURCE = FOLDER / PACKAGE / "vendor/llama.cpp"
BUILD = FOLDER / "build"
PYTHON = FOLDER / "env/bin/python"
TOOLS = ("llama-bench", "llama-batched-bench", "llama-server", "llama-quantize")
OPTIONS = {
    "CMAKE_BUILD_TYPE": "Release",
    "GGML_NATIVE": "ON",
    "BUILD_SHARED_LIBS": "OFF",
    "LLAMA_OPENSSL": "OFF",
    "LLAMA_BUILD_TESTS": "OFF",
    "LLAMA_BUILD_EXAMPLES": "OFF",
    "LLAMA_BUILD_UI": "OFF",
}


def tool(name):
    """The path of one of ``TOOLS``; builds all of them the first time."""
    if not all((BUILD / "bin" / each).exists() for each in TOOLS):
        build()
    return BUILD / "bin" / name


def environment():
    """A Python with cmake, ninja and the gguf package of the same source."""
    if not PYTHON.exists():
        subprocess.run([sys.executable, "-m", "venv", FOLDER / "env"], check=True)
    fetch()
    subprocess.run(
        [PYTHON, "-m", "pip", "install", "--quiet", "cmake==4.4.5", "ninja==1.13.2", "numpy==2.4.6", SOURCE / "gguf-py"],
        check=True)
    return PYTHON


def fetch():
    if SOURCE.exists():
        return
    FOLDER.mkdir(exist_ok=True)
    print(f"fetching {PACKAGE}", file=sys.stderr)
    request = urllib.request.Request(INDEX, headers={"Accept": "application/vnd.pypi.simple.v1+json"})
    with urllib.request.urlopen(request, timeout=60) as reply:
        files = json.load(reply)["files"]
    url = next(file["url"] for file in files if file["filename"] == f"{PACKAGE}.tar.gz")
    with urllib.request.urlopen(url, timeout=600) as reply:
        data = reply.read()
    if hashlib.sha256(data).hexdigest() != SHA256:
        raise SystemExit(f"{url}: not the file with SHA-256 {SHA256}")
    archive = FOLDER / f"{PACKAGE}.tar.gz"
    archive.write_bytes(data)
    with tarfile.open(archive) as files:
        files.extractall(FOLDER, filter="data")
    archive.unlink()


def build():
    python = environment()
    print(f"building llama.cpp in {BUILD}, once", file=sys.stderr)
    cmake = python.parent / "cmake"
    definitions = [f"-D{name}={value}" for name, value in OPTIONS.items()]
    with open(FOLDER / "build.log", "w") as log:
        for command in (
            [cmake, "-S", SOURCE, "-B", BUILD, "-G", "Ninja", f"-DCMAKE_MAKE_PROGRAM={python.parent / 'ninja'}", *definitions],
            [cmake, "--build", BUILD, "--target", *TOOLS],
        ):
            if subprocess.run(command, stdout=log, stderr=log).returncode != 0:
                raise SystemExit(f"the build failed; see {log.name}")
