"""The command line in this process, as a script would call it."""

import asyncio
import json
import os
import sys
from typing import Any

from typer.testing import CliRunner, Result

from nodeunit.cli import complaint
from nodeunit.cli.app import app
from nodeunit.errors import NodeunitError


def call(*words: str, conninfo: str = "", given: str | None = None, columns: int = 80) -> Result:
    """Runs a verb. Its exit code is that of `nodeunit.cli.main`, and an error of this project is its last line."""
    environment = {"POSTGRES_URI": conninfo or None, "COLUMNS": str(columns), "NO_COLOR": "1", "TERM": "dumb"}
    result = CliRunner().invoke(app, list(words), input=given, env=environment)
    if isinstance(result.exception, NodeunitError):
        result.exit_code = result.exception.exit_code
        result.stderr_bytes = (result.stderr_bytes or b"") + complaint(result.exception).encode()
    elif result.exception is not None and not isinstance(result.exception, SystemExit):
        raise result.exception
    return result


async def said(conninfo: str, *words: str, code: int = 0, given: str | None = None) -> str:
    """What a verb prints on standard output."""
    result = await asyncio.to_thread(call, *words, conninfo=conninfo, given=given)
    assert result.exit_code == code, (words, result.exit_code, result.stdout, result.stderr)
    return result.stdout


async def complained(conninfo: str, *words: str, code: int, given: str | None = None) -> str:
    """What a verb says on standard error when it ends with this code; nothing of it is on standard output."""
    result = await asyncio.to_thread(call, *words, conninfo=conninfo, given=given)
    assert result.exit_code == code, (words, result.exit_code, result.stdout, result.stderr)
    return result.stderr


async def items(conninfo: str, *words: str) -> list[dict[str, Any]]:
    """The items that a listing verb gives with -o json."""
    document = json.loads(await said(conninfo, *words, "-o", "json"))
    found: list[dict[str, Any]] = document["items"]
    return found


async def typed(conninfo: str, *words: str) -> tuple[int | None, str]:
    """Exit code and standard output of a verb as a process of its own, beside which other verbs may be called."""
    environment = os.environ | {"POSTGRES_URI": conninfo}
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "nodeunit", *words, stdout=asyncio.subprocess.PIPE, env=environment
    )
    out, _ = await process.communicate()
    return process.returncode, out.decode()
