"""What a process that began before anyone knew for whom is given once that is known."""

from __future__ import annotations

import os
import sys


def move(env: dict[str, str], cwd: str | None) -> None:
    """Make it as if it had begun with these variables, in this directory."""
    os.environ.update(env)
    if cwd is not None:
        os.chdir(cwd)
        sys.path[0] = cwd
