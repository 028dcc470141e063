"""Starts the Swift program of the benchmarks and communicates with it."""

import json
import os
import pathlib
import subprocess
import sys

HERE = pathlib.Path(__file__).resolve().parent
FIXTURES = HERE.parent / "Tests" / "Fixtures" / "text" / "tokenizers"
REFERENCE = "tokenizers==0.23.3"


def use_reference():
    """Runs the script again inside a venv with the reference implementation; creates the venv first if there is none."""
    os.environ["TOKENIZERS_PARALLELISM"] = "false"
    python = HERE / ".venv" / "bin" / "python"
    if pathlib.Path(sys.prefix) == HERE / ".venv":
        return
    if not python.exists():
        subprocess.run([sys.executable, "-m", "venv", HERE / ".venv"], check=True)
        subprocess.run([python, "-m", "pip", "install", "--quiet", REFERENCE], check=True)
    os.execv(python, [str(python), *sys.argv])


class Probe:
    def __init__(self):
        subprocess.run(["swift", "build", "-c", "release"], cwd=HERE, check=True, stdout=subprocess.DEVNULL)
        self.process = subprocess.Popen(
            [HERE / ".build" / "release" / "TokenizerProbe"], stdin=subprocess.PIPE, stdout=subprocess.PIPE)

    def __call__(self, command, **arguments):
        line = json.dumps({"command": command, **arguments}, ensure_ascii=False)
        self.process.stdin.write(line.encode() + b"\n")
        self.process.stdin.flush()
        answer = json.loads(self.process.stdout.readline())
        if "error" in answer:
            raise RuntimeError(answer["error"])
        return answer
