"""`python -m cityops`: the command line; a role's process loads no more than its role needs."""

from __future__ import annotations

import sys

if __name__ == "__main__":
    if len(sys.argv) == 3 and sys.argv[1] == "serve" and not sys.argv[2].startswith("-"):
        from cityops.runtime.serve import serve
        from cityops.settings import Settings

        serve(sys.argv[2], Settings.load())
    else:
        from cityops.cli import app

        app(prog_name="cityops")
