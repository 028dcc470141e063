"""aider, one message and then the end: its request is served, and the edit that the reply describes is made.

A choice of one binds the reply: the model is too small to think of an edit.
"""

import json
import os
import pathlib
import subprocess
import sys

import pytest

AIDER = pathlib.Path(sys.executable).parent / "aider"
WHOLE = "greeting.py\n```\nprint('hello')\n```\n"
DIFF = "greeting.py\n```python\n<<<<<<< SEARCH\nprint('goodbye')\n=======\nprint('hello')\n>>>>>>> REPLACE\n```\n"


@pytest.mark.parametrize("stream", ["--stream", "--no-stream"])
@pytest.mark.parametrize(("edit_format", "reply"), [("whole", WHOLE), ("diff", DIFF)])
def test_a_message_edits_a_file(long_server, tmp_path, edit_format, reply, stream):
    (tmp_path / "greeting.py").write_text("print('goodbye')\n")
    settings = [{
        "name": "openai/trinity-tiny", "edit_format": edit_format, "use_repo_map": False, "use_temperature": 0,
        "extra_params": {"max_tokens": 300, "extra_body": {"structured_outputs": {"choice": [reply]}}}}]
    (tmp_path / "settings.yml").write_text(json.dumps(settings))
    result = subprocess.run(
        [AIDER, "--model", "openai/trinity-tiny", "--openai-api-base", long_server.url + "/v1", "--openai-api-key", "none",
         "--model-settings-file", "settings.yml", "--no-git", "--yes-always", "--no-check-update", "--no-show-model-warnings",
         "--analytics-disable", "--no-pretty", stream, "--message", "Say hello instead of goodbye", "greeting.py"],
        cwd=tmp_path, env=os.environ | {"HOME": str(tmp_path)}, stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=240)
    assert result.returncode == 0, result.stdout + result.stderr
    assert (tmp_path / "greeting.py").read_text() == "print('hello')\n", result.stdout + result.stderr
