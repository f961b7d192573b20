"""A program's environment is the base, the row's own and the unit's three; nothing else gets through."""

from nodeunit.process.environment import base_environment, clean_environment


def test_only_path_home_and_lang_are_taken_over() -> None:
    environ = {"PATH": "/bin", "HOME": "/root", "LANG": "de_DE.UTF-8", "POSTGRES_URI": "postgresql://u:secret@h/d"}

    assert base_environment(environ) == {"PATH": "/bin", "HOME": "/root", "LANG": "de_DE.UTF-8"}


def test_what_is_missing_gets_a_fallback() -> None:
    base = base_environment({"PATH": ""})

    assert "/usr/bin" in base["PATH"]
    assert (base["HOME"], base["LANG"]) == ("/", "C.UTF-8")


def test_a_row_may_add_and_override_but_not_the_units_three() -> None:
    row = {"LANG": "C", "PORT": "80", "NODE_UNIT_ADDRESS": "x", "DEPLOYMENT_ID": "x", "NODEUNIT_CLAIM_VERSION": "9"}

    environment = clean_environment(row, deployment_id="d", address="a", claim_version=3, environ={"PATH": "/bin"})

    assert environment == {
        "PATH": "/bin",
        "HOME": "/",
        "LANG": "C",
        "PORT": "80",
        "DEPLOYMENT_ID": "d",
        "NODE_UNIT_ADDRESS": "a",
        "NODEUNIT_CLAIM_VERSION": "3",
    }
