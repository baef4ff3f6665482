"""A small program to supervise. It lives until it is stopped, and does as it is told.

`ready=FILE` makes the file once it runs; `stubborn` ignores SIGTERM; `family` starts a
process of its own and notes its pid in the log; `exit=N` ends at once with that status.
"""

import signal
import subprocess
import sys
from pathlib import Path

options = dict(argument.partition("=")[::2] for argument in sys.argv[1:])
print("hello", flush=True)

if "exit" in options:
    print("cannot go on", flush=True)
    sys.exit(int(options["exit"]))
if "stubborn" in options:
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
else:
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(print("bye", flush=True)))
if "family" in options:
    print("child", subprocess.Popen(["sleep", "600"]).pid, flush=True)
if "ready" in options:
    Path(options["ready"]).touch()
while True:
    signal.pause()
