"""Named places at which a test can kill or pause the process: `TWINROW_FAIL_POINT=name[:nth][:kill|stop]`.

Unset (always, outside tests) a fail point costs one comparison.
"""

from __future__ import annotations

import os
import signal
import threading

_wanted = os.environ.get("TWINROW_FAIL_POINT", "")
_name, _, _rest = _wanted.partition(":")
_nth_text, _, _action = _rest.partition(":")
_left = int(_nth_text or "1")
_lock = threading.Lock()


def fail_point(name: str) -> None:
    """Kill (SIGKILL) or pause (SIGSTOP) this process when the environment names this point for the nth time."""
    global _left
    if not _wanted or name != _name:
        return
    with _lock:
        _left -= 1
        hit = _left == 0
    if hit and _action == "stop":
        # to this thread: a signal to the process may wake another thread first, and this thread goes on for a while
        signal.pthread_kill(threading.get_ident(), signal.SIGSTOP)
    elif hit:
        os.kill(os.getpid(), signal.SIGKILL)
