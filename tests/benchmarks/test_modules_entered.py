"""The tracer distinguishes functions that ran from modules only imported, in workers too."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

from benchmarks import modules_tracer
from benchmarks.modules_entered import Entered

FILES = {
    "pack/__init__.py": "",
    "pack/entered.py": "def work():\n    pass\n",
    "pack/imported.py": "class Kept:\n    name = 'kept'\n\ndef unused():\n    pass\n",
    "pack/at_import.py": "def mark(one):\n    return one\n\n@mark\ndef unused():\n    pass\n",
    "pack/threaded.py": "def work():\n    pass\n",
    "pack/worker.py": """
import sys
sys.path.insert(0, sys.argv[1])
from pack.in_worker import work
work()
""",
    "pack/in_worker.py": "def work():\n    return [n for n in range(3)]\n",
    "other/__init__.py": "def work():\n    pass\n",
    "program.py": """
import subprocess, sys, threading
import other, pack.at_import, pack.entered, pack.imported, pack.threaded
from pathlib import Path
root = Path(__file__).parent
other.work()
pack.entered.work()
thread = threading.Thread(target=pack.threaded.work)
thread.start()
thread.join()
worker = [sys.executable, "-I", "-B", str(root / "pack/worker.py"), str(root)]
subprocess.run(worker, env={}, cwd="/", check=True)
subprocess.run([sys.executable, "-c", ""], check=True)
sys.exit(3)
""",
}


def test_what_is_entered(tmp_path):
    for name, text in FILES.items():
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text(text)
    entered = Entered()
    pipe = tmp_path / "pipe"
    pipe.touch()  # a file does as well, where no process is kept from writing to one
    before = ["own", str(pipe), str(tmp_path / "pack"), "--"]
    program = str(tmp_path / "program.py")
    tracer = str(Path(modules_tracer.__file__))
    command = [sys.executable, tracer, *before, program]
    done = subprocess.run(command, capture_output=True, text=True)
    assert (done.returncode, done.stderr) == (3, "")
    for line in pipe.read_text().splitlines():
        entered.add(line)
    assert entered.own == {"pack/entered.py", "pack/threaded.py"}
    assert entered.child == {"pack/in_worker.py"}
    assert entered.imported == {"pack/at_import.py"}
    assert entered.run == entered.own | entered.child
    assert len(entered.unseen) == 1
    assert "'-c'" in entered.unseen.pop()
