"""Kernels for arm64: compiled by a cross compiler, run by an emulator, and compared with the build's kernels for x86-64."""

import pathlib
import platform
import shutil
import subprocess

import pytest
from trinity_server import BINARY, REPOSITORY

TOOLS = ["qemu-aarch64", "aarch64-linux-gnu-gcc", "swiftc", "cc"]
MISSING = [tool for tool in TOOLS if not shutil.which(tool)]
FAMILIES = {"Portable": "Portable", "NEON": "AVX2", "NEONBF16": "AVX2"}


@pytest.mark.skipif(bool(MISSING), reason=f"not installed: {', '.join(MISSING)}")
@pytest.mark.skipif(platform.machine() != "x86_64", reason="compares with the kernels for x86-64")
@pytest.mark.skipif("avx2" not in pathlib.Path("/proc/cpuinfo").read_text(), reason="this CPU does not run AVX2")
def test_kernels_for_arm64_compute_the_same_bits():
    result = subprocess.run(
        [REPOSITORY / "Tests/ARM64/run", (REPOSITORY / BINARY).parent], capture_output=True, text=True, timeout=600
    )
    assert result.returncode == 0, result.stderr
    for arm, x86 in FAMILIES.items():
        assert f"{arm} on arm64 equals {x86} on x86-64" in result.stdout
