"""The program starts without what its verb does not need, runs plugins, and finds its database by one rule."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from nodeunit.cli import contexts
from nodeunit.cli.app import VERBS
from nodeunit.errors import SettingInvalid
from tests.support.command_line import call


def test_nothing_heavy_is_imported_before_a_verb_needs_it() -> None:
    said = subprocess.run(
        [sys.executable, "-c", "import sys, nodeunit.cli; print(*sys.modules)"],
        capture_output=True,
        text=True,
        check=True,
    )
    assert not {"psycopg", "asyncio", "msgspec", "cryptography", "rich", "yaml"} & set(said.stdout.split())


def test_the_help_lists_every_verb() -> None:
    shown = call("--help").stdout
    assert all(f" {verb.name} " in shown for verb in VERBS)


def test_a_plugin_gets_the_other_words(tmp_path: Path) -> None:
    plugin = tmp_path / "nodeunit-hello"
    plugin.write_text('#!/bin/sh\necho "$@"\nexit 7\n')
    plugin.chmod(0o755)
    environment = os.environ | {"PATH": f"{tmp_path}:{os.environ['PATH']}"}
    program = [sys.executable, "-m", "nodeunit", "hello", "--help", "-x", "a b"]
    ended = subprocess.run(program, capture_output=True, text=True, env=environment, check=False)
    assert (ended.returncode, ended.stdout) == (7, "--help -x a b\n")
    assert call("no-such-verb").exit_code == 2


@pytest.fixture
def own_config(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path))
    monkeypatch.delenv("POSTGRES_URI", raising=False)
    monkeypatch.delenv("NODEUNIT_CONTEXT", raising=False)
    return tmp_path / "nodeunit" / "config.toml"


def test_contexts_are_kept_for_oneself(own_config: Path) -> None:
    assert call("config", "path").stdout == f"{own_config}\n"
    assert call("config", "set", "shop", 'host=db user="a b"').stdout == "context/shop set\n"
    call("config", "set", "other.one", "host=two")
    assert own_config.stat().st_mode & 0o777 == 0o600
    assert call("config", "list").stdout == "  other.one\n* shop\n"
    assert call("config", "use", "other.one").exit_code == 0
    assert contexts.database("") == "host=two"
    assert call("config", "remove", "other.one").exit_code == 0
    assert contexts.database("") == ""
    assert contexts.read().databases["shop"] == 'host=db user="a b"'
    assert call("config", "use", "nobody").exit_code == 23
    own_config.write_text("current = [")
    assert call("config", "list").exit_code == 24


def test_flag_before_environment_before_context(own_config: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("one", "two", "three"):
        call("config", "set", name, f"host={name}")
    assert contexts.database("") == "host=one"
    monkeypatch.setenv("NODEUNIT_CONTEXT", "two")
    assert contexts.database("") == "host=two"
    monkeypatch.setenv("POSTGRES_URI", "host=environment")
    assert contexts.database("host=environment") == "host=environment"
    monkeypatch.setattr(contexts, "_chosen", ["three"])
    assert contexts.database("host=environment") == "host=three"
    assert contexts.database("host=flag") == "host=flag"
    monkeypatch.setattr(contexts, "_chosen", ["nobody"])
    with pytest.raises(SettingInvalid, match="one, three, two"):
        contexts.database("host=environment")


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_completion(shell: str) -> None:
    assert "_NODEUNIT_COMPLETE" in call("completion", shell).stdout


def test_the_shell_is_answered() -> None:
    asked = {"_NODEUNIT_COMPLETE": "complete_bash", "COMP_WORDS": "nodeunit desc", "COMP_CWORD": "1"}
    said = subprocess.run(
        [sys.executable, "-c", "import sys; sys.argv = ['nodeunit']; from nodeunit.cli import main; main()"],
        capture_output=True, text=True, env=os.environ | asked, check=False,
    )  # fmt: skip
    assert said.stdout.split() == ["describe"], said
