"""The command line loads Prefect only once it knows which server to speak to."""

import subprocess
import sys


def test_no_command_loads_prefect_before_the_stack_s_address_is_known():
    """Prefect reads its settings when first imported; too early, a flow starts its own server."""
    code = "import cli.main, sys; sys.exit('prefect' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
