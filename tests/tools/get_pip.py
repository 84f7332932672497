"""Replaces the get-pip.py that ansible-test downloads: pip comes with Python already."""

from __future__ import annotations

import subprocess
import sys

subprocess.run([sys.executable, "-m", "ensurepip", "--default-pip"], check=True)
# The --no-… options are get-pip.py's own.
arguments = [argument for argument in sys.argv[1:] if not argument.startswith("--no-")]
subprocess.run([sys.executable, "-m", "pip", "install", *arguments], check=True)
