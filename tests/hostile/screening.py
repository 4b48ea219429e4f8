"""The program that screens a hostile drop, and watches itself: run by the tests in its own process.

Arguments: the drop, the index, the folder of results, the configuration, and a file for what was
seen. Files of the kind `gone_before_they_are_read` are taken away once the drop has been listed.
"""

from __future__ import annotations

import json
import os
import sys
import threading
import time
from pathlib import Path

SEEN: dict[str, object] = {"connections": [], "peaks": {}, "written": []}
_NETWORK = ("socket.connect", "socket.getaddrinfo", "socket.sendto", "urllib.Request")


def audit(event, arguments):
    if event in _NETWORK:
        SEEN["connections"].append(f"{event} {arguments[1:]!r}")
    elif event == "open" and isinstance(arguments[1], str) and set(arguments[1]) & set("wax+"):
        SEEN["written"].append(str(arguments[0]))


def watch(ends):
    """The peak of every worker's resident memory, and of the processes that workers start."""
    while not ends.is_set():
        for folder in Path("/proc").iterdir():
            if not folder.name.isdigit():
                continue
            try:
                command = (folder / "cmdline").read_bytes()
                if b"worker_process" not in command and b"pdf_process" not in command:
                    continue
                if f'"parent": {os.getpid()}'.encode() not in command and b"pdf_pro" not in command:
                    continue  # another test's
                fields = (folder / "status").read_text().split("VmHWM:")[1].split()
                SEEN["peaks"][folder.name] = int(fields[0]) * 1024
            except (OSError, IndexError):
                continue
        time.sleep(0.05)


def change(drop):
    for place, file in enumerate(sorted((drop / "gone_before_they_are_read").iterdir())):
        match place % 4:
            case 0:
                file.unlink()
            case 1:
                file.write_bytes(b"It holds other words than it did when the drop was listed. " * 3)
            case 2:
                file.unlink()
                file.mkdir()
            case 3:
                file.unlink()
                file.symlink_to("/dev/zero")


def main():
    drop, index, out, config, report_file = map(Path, sys.argv[1:])
    ends = threading.Event()
    threading.Thread(target=watch, args=(ends,), daemon=True).start()
    sys.addaudithook(audit)
    from pipeline.drops import drop as drops
    from pipeline.screening import screen as screening

    list_drop = drops.list_drop

    def then_changed(*arguments):
        yield from list_drop(*arguments)
        change(drop)

    drops.list_drop = then_changed
    started = time.monotonic()
    run = screening.screen(drop, index, out, config=config)
    SEEN["seconds"] = time.monotonic() - started
    SEEN["rows"] = len(run.rows)
    ends.set()
    report_file.write_text(json.dumps(SEEN))


if __name__ == "__main__":
    main()
