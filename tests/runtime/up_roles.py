"""Run as a program: `up` with the roles named on the command line, on any free ports."""

import sys
from pathlib import Path

from rich.console import Console
from tests.engines import any_ports

from cityops.runtime.progress import Display
from cityops.runtime.up import up

sys.exit(up(any_ports(Path(sys.argv[1])), Display(Console()), sys.argv[2:]))
