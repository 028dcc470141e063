"""nginx as the yardstick of bare HTTP: shared by the benchmarks of connections and of minimal requests."""

import contextlib
import os
import pathlib
import socket
import subprocess
import tempfile
import time


def free_port():
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return listener.getsockname()[1]


@contextlib.contextmanager
def nginx(metrics=b""):
    """Starts nginx with one worker per CPU, a static /health and `metrics` as a file; yields its port."""
    port = free_port()
    with tempfile.TemporaryDirectory() as folder:
        os.chmod(folder, 0o755)
        pathlib.Path(folder, "metrics").write_bytes(metrics)
        paths = "".join(f"{name}_temp_path {folder}/{name}; " for name in ("client_body", "proxy", "fastcgi", "uwsgi", "scgi"))
        configuration = pathlib.Path(folder, "nginx.conf")
        configuration.write_text(f"""
            pid {folder}/pid; error_log {folder}/error.log; worker_processes auto; events {{ worker_connections 4096; }}
            http {{ access_log off; keepalive_requests 1000000000; {paths}
                server {{ listen 127.0.0.1:{port}; root {folder};
                    location = /health {{ default_type application/json; return 200 '{{"status":"ok"}}'; }} }} }}""")
        process = subprocess.Popen(
            ["nginx", "-p", folder, "-c", str(configuration), "-e", f"{folder}/error.log", "-g", "daemon off;"])
        time.sleep(0.5)
        try:
            yield port
        finally:
            process.terminate()
            process.wait()
