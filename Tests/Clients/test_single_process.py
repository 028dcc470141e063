"""A build without the trait MPI."""

import shutil
import subprocess

import pytest
from trinity_server import BINARY, REPOSITORY, Server


def test_it_refuses_to_be_one_of_several_ranks():
    server = Server(environment={"OMPI_COMM_WORLD_SIZE": "2", "OMPI_COMM_WORLD_RANK": "1"})
    assert server.wait(30) == 1
    assert "make build MPI=1" in server.log_text()


def test_the_only_rank_of_mpirun_is_a_server_like_any_other():
    with Server(environment={"OMPI_COMM_WORLD_SIZE": "1", "OMPI_COMM_WORLD_RANK": "0"}) as server:
        assert server.get("/ready").status == 200


@pytest.mark.skipif(not shutil.which("ldd"), reason="ldd is not installed")
def test_it_needs_no_library_of_mpi():
    libraries = subprocess.run(["ldd", REPOSITORY / BINARY], capture_output=True, text=True, check=True).stdout
    assert "libssl" in libraries and "libmpi" not in libraries


def test_it_has_no_symbol_of_mpi():
    binary = (REPOSITORY / BINARY).read_bytes()
    assert b"SSL_CTX_new" in binary and b"MPI_Init" not in binary and b"MPI_Isend" not in binary
