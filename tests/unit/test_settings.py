"""Each setting: its default, what it accepts, and one sentence for what it does not; passwords show nowhere."""

import math
import socket
from pathlib import Path

import msgspec
import pytest

from nodeunit.errors import NodeunitError, PatternInvalid, SettingInvalid, UnknownPolicy, WeightInvalid
from nodeunit.settings import DESCRIPTIONS, Settings, without_password


def _settings(**environ: str) -> Settings:
    return Settings.from_environment({"HOME": "/home/u", **environ})


def test_defaults() -> None:
    settings = _settings()
    assert settings.name == settings.host == socket.gethostname()
    assert settings.postgres_uri == ""
    assert settings.claim_policy == "deployment_count"
    assert (settings.cpu_weight, settings.memory_weight) == (0.5, 0.5)
    assert settings.trusted_package_regexp == "^@yuants/"
    assert settings.enable_custom_command is False
    assert (settings.heartbeat_interval_s, settings.lease_ttl_s) == (2, 10)
    assert (settings.reserved_cpu_percent, settings.reserved_memory_mb) == (1, 64)
    assert settings.log_directory == "/home/u/.local/state/nodeunit"
    assert settings.workspace == "/home/u/.local/state/nodeunit"
    assert (settings.npm_registry, settings.npm_scripts, settings.install_timeout_s) == ("", False, 600)
    assert (settings.log_max_bytes, settings.log_max_files, settings.log_compress) == (10 * 1024**2, 5, True)
    assert (settings.python_index, settings.python_source_builds) == ("", False)
    assert settings.stop_grace_s == 10
    assert settings.log_level == "info"
    assert (settings.program_env_file, settings.secrets_directory) == ("", "")
    assert settings.port_range == (20_000, 29_999)


@pytest.mark.parametrize("text", ["20000", "0-1", "2-1", "1-65536", "a-b", "1-2-3", " 1-2", "-1-5", "\u0661-\u0662"])
def test_a_range_of_ports_is_two_ports(text: str) -> None:
    with pytest.raises(SettingInvalid, match=r"NODE_UNIT_PORT_RANGE is .* not two ports"):
        _settings(NODE_UNIT_PORT_RANGE=text)
    assert _settings(NODE_UNIT_PORT_RANGE="80-80").port_range == (80, 80)


def test_the_default_password_is_fresh_and_hard_to_guess() -> None:
    assert _settings().password != _settings().password
    assert len(_settings().password) >= 40


def test_an_empty_value_counts_as_unset() -> None:
    empty = {description.variable: "" for description in DESCRIPTIONS}
    changing = {"password": "x"}
    assert msgspec.structs.replace(_settings(**empty), **changing) == msgspec.structs.replace(_settings(), **changing)


def test_every_field_has_one_description_in_its_order() -> None:
    assert tuple(description.field for description in DESCRIPTIONS) == Settings.__struct_fields__
    assert len({description.variable for description in DESCRIPTIONS}) == len(DESCRIPTIONS)
    assert all(description.meaning for description in DESCRIPTIONS)


def test_the_password_is_taken_out_of_the_environment() -> None:
    environ = {"NODE_UNIT_PASSWORD": "hunter2", "NODE_UNIT_NAME": "a"}
    assert Settings.from_environment(environ).password == "hunter2"
    assert environ == {"NODE_UNIT_NAME": "a"}


def test_the_password_is_taken_out_even_if_another_setting_is_bad() -> None:
    environ = {"NODE_UNIT_PASSWORD": "hunter2", "NODE_UNIT_CLAIM_POLICY": "bogus"}
    with pytest.raises(UnknownPolicy):
        Settings.from_environment(environ)
    assert "NODE_UNIT_PASSWORD" not in environ


@pytest.mark.parametrize("text", ["resource_usage", "RESOURCE_USAGE", "Resource_Usage"])
def test_policy_names_ignore_case(text: str) -> None:
    assert _settings(NODE_UNIT_CLAIM_POLICY=text).claim_policy == "resource_usage"


@pytest.mark.parametrize(
    ("text", "value"),
    [("10Mi", 10 * 1024**2), ("500K", 500_000), ("0.5Gi", 2**29), ("1G", 10**9), ("64KiB", 2**16), ("4096", 4096)],
)
def test_sizes(text: str, value: int) -> None:
    assert _settings(NODE_UNIT_LOG_MAX_SIZE=text).log_max_bytes == value


@pytest.mark.parametrize("text", ["unit-1.internal", "10.0.0.7", "fe80::1%eth0", "2001:db8::7"])
def test_hosts(text: str) -> None:
    assert _settings(NODE_UNIT_HOST=text).host == text


@pytest.mark.parametrize("text", ["10MiMi", "-1", "1", "4095", "0", "2Gi", "10 apples", "1e9", "mi", "9" * 4400])
def test_what_is_no_size_of_a_log_is_refused(text: str) -> None:
    with pytest.raises(SettingInvalid, match="NODE_UNIT_LOG_MAX_SIZE"):
        _settings(NODE_UNIT_LOG_MAX_SIZE=text)


@pytest.mark.parametrize("text", ["0", "-1", "1.5", "1000", "five"])
def test_what_is_no_number_of_files_is_refused(text: str) -> None:
    with pytest.raises(SettingInvalid, match="NODE_UNIT_LOG_MAX_FILES"):
        _settings(NODE_UNIT_LOG_MAX_FILES=text)


@pytest.mark.parametrize(("text", "value"), [("0", 0), ("2", 2), ("1e-3", 0.001), (" 0.7 ", 0.7)])
def test_weights(text: str, value: float) -> None:
    assert _settings(NODE_UNIT_CPU_WEIGHT=text).cpu_weight == value


@pytest.mark.parametrize(
    ("text", "value"),
    [("true", True), ("TRUE", True), ("1", True), ("yes", True), ("false", False), ("0", False), ("No", False)],
)
def test_switches(text: str, value: bool) -> None:
    assert _settings(NODE_UNIT_LOG_ROTATE_COMPRESS=text).log_compress is value


OPENING = ("ENABLE_CUSTOM_COMMAND", "NODE_UNIT_NPM_SCRIPTS", "NODE_UNIT_PYTHON_SOURCE_BUILDS")


@pytest.mark.parametrize("variable", OPENING)
def test_what_opens_something_is_switched_on_by_the_word_true_alone(variable: str) -> None:
    field = next(d.field for d in DESCRIPTIONS if d.variable == variable)
    assert getattr(_settings(**{variable: "true"}), field) is True
    assert not any(getattr(_settings(**{variable: text}), field) for text in ("false", "FALSE", "0", "no", ""))
    for near in ("TRUE", "True", "1", "yes", "on", "true ", " true", "t", "y", "truee", "\u0442rue", "tru\u0435"):
        with pytest.raises(SettingInvalid, match="only the word true"):
            _settings(**{variable: near})


@pytest.mark.parametrize(
    ("variable", "text", "error", "allowed"),
    [
        ("NODE_UNIT_CLAIM_POLICY", "least_busy", UnknownPolicy, "deployment_count, resource_usage, none"),
        ("NODE_UNIT_CPU_WEIGHT", "heavy", WeightInvalid, "finite number"),
        ("NODE_UNIT_CPU_WEIGHT", "nan", WeightInvalid, "finite number"),
        ("NODE_UNIT_MEMORY_WEIGHT", "-0.5", WeightInvalid, "0 or more"),
        ("NODE_UNIT_MEMORY_WEIGHT", "inf", WeightInvalid, "finite number"),
        ("TRUSTED_PACKAGE_REGEXP", "^@yuants/(", PatternInvalid, "regular expression"),
        ("ENABLE_CUSTOM_COMMAND", "on", SettingInvalid, "true, false"),
        ("NODE_UNIT_HEARTBEAT_INTERVAL", "2s", SettingInvalid, "seconds above 0"),
        ("NODE_UNIT_HEARTBEAT_INTERVAL", "0", SettingInvalid, "seconds above 0"),
        ("NODE_UNIT_LEASE_TTL", "5", SettingInvalid, "3 heartbeats"),
        ("NODE_UNIT_RESERVED_CPU_PERCENT", "-1", SettingInvalid, "0 or more"),
        ("NODE_UNIT_RESERVED_MEMORY_MB", "64MB", SettingInvalid, "finite number"),
        ("NODE_UNIT_STOP_GRACE", "soon", SettingInvalid, "finite number"),
        ("NODE_UNIT_HOST", "http://unit-1", SettingInvalid, "host name"),
        ("NODE_UNIT_HOST", "unit 1", SettingInvalid, "host name"),
        ("NODE_UNIT_LOG_LEVEL", "loud", SettingInvalid, "debug, info, warning, error"),
    ],
)
def test_a_bad_value_is_one_sentence_with_variable_value_and_what_is_allowed(
    variable: str, text: str, error: type[NodeunitError], allowed: str
) -> None:
    with pytest.raises(error) as raised:
        _settings(**{variable: text})
    sentence = str(raised.value)
    assert type(raised.value) is error
    assert sentence.startswith(f"{variable} is ")
    assert text in sentence
    assert allowed in sentence
    assert "\n" not in sentence


@pytest.mark.parametrize("variable", ["NODE_UNIT_NAME", "NODE_UNIT_PASSWORD", "TRUSTED_PACKAGE_REGEXP"])
def test_text_that_is_not_utf8_is_refused_without_showing_it(variable: str) -> None:
    with pytest.raises(SettingInvalid, match=f"^{variable} is not valid UTF-8") as raised:
        _settings(**{variable: "secret\udcff"})
    assert "secret" not in str(raised.value)


def test_three_heartbeats_may_be_a_lease_in_decimal_fractions_too() -> None:
    assert _settings(NODE_UNIT_HEARTBEAT_INTERVAL="0.1", NODE_UNIT_LEASE_TTL="0.3").lease_ttl_s == 0.3


def test_the_lease_is_checked_whenever_settings_are_made() -> None:
    with pytest.raises(SettingInvalid, match="NODE_UNIT_LEASE_TTL is 5"):
        msgspec.structs.replace(_settings(), lease_ttl_s=5.0)


@pytest.mark.parametrize(
    ("environ", "directory"),
    [
        ({"XDG_STATE_HOME": "/state"}, "/state/nodeunit"),
        ({"XDG_STATE_HOME": "relative"}, "/home/u/.local/state/nodeunit"),
        ({"NODE_UNIT_LOG_DIR": "/var/log/x/../nodeunit"}, "/var/log/nodeunit"),
    ],
)
def test_log_directory(environ: dict[str, str], directory: str) -> None:
    assert _settings(**environ).log_directory == directory


def test_a_directory_relative_to_a_deleted_one_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    gone = tmp_path / "gone"
    gone.mkdir()
    monkeypatch.chdir(gone)
    gone.rmdir()
    with pytest.raises(SettingInvalid, match="NODE_UNIT_LOG_DIR is 'logs', relative to a working directory that was"):
        _settings(NODE_UNIT_LOG_DIR="logs")


def test_the_log_directory_does_not_need_a_home_in_the_environment() -> None:
    assert Settings.from_environment({}).log_directory.startswith("/")


@pytest.mark.parametrize("url", ["http://127.0.0.1:4873", "https://npm.example.org/team/", "http://[::1]:4873/"])
def test_a_registry_is_a_url(url: str) -> None:
    assert _settings(NODE_UNIT_NPM_REGISTRY=url).npm_registry == url
    assert _settings(NODE_UNIT_PYTHON_INDEX=url).python_index == url


@pytest.mark.parametrize(
    "text",
    ["registry", "file:///srv", "https://", "https://u:secret@h/", "https://secret@h", "http://h/ --x", "http://h\n/"],
)
def test_anything_else_is_no_registry_and_is_not_repeated(text: str) -> None:
    with pytest.raises(SettingInvalid, match="NODE_UNIT_NPM_REGISTRY is not the URL") as refused:
        _settings(NODE_UNIT_NPM_REGISTRY=text)
    assert "secret" not in str(refused.value)


def test_settings_go_through_json() -> None:
    settings = _settings(NODE_UNIT_PASSWORD="hunter2")
    assert msgspec.json.decode(msgspec.json.encode(settings), type=Settings) == settings


def test_no_password_in_what_is_shown() -> None:
    settings = _settings(NODE_UNIT_PASSWORD="hunter2", POSTGRES_URI="postgresql://u:hunter3@h/db")
    shown = f"{settings!r} {settings} {settings.__rich_repr__()}"
    assert "hunter" not in shown
    assert "postgresql://u:***@h/db" in shown


@pytest.mark.parametrize(
    ("database", "shown"),
    [
        ("postgresql://u:secret@h:5432/db", "postgresql://u:***@h:5432/db"),
        ("postgres://u:sec:r@et/@h/db", "postgres://u:***@h/db"),
        ("postgresql://u@h/db?password=secret&sslmode=require", "postgresql://u@h/db?password=***&sslmode=require"),
        ("postgresql://h:5432/db", "postgresql://h:5432/db"),
        ("postgresql://[::1]:5432/db", "postgresql://[::1]:5432/db"),
        ("host=h password=secret dbname=db", "host=h password=*** dbname=db"),
        (r"password = 'sec \' ret' host=h", "password = *** host=h"),
        (r"password=sec\ ret host=h", "password=*** host=h"),
        ("host=h password='secret", "host=h password=***"),
        ("sslpassword=secret PASSWORD=secret", "sslpassword=*** PASSWORD=***"),
        ("", ""),
    ],
)
def test_passwords_of_a_database_are_hidden(database: str, shown: str) -> None:
    assert without_password(database) == shown


def test_defaults_in_help_are_the_defaults() -> None:
    in_words = {"name", "host", "password", "log_directory", "workspace"}
    settings = _settings()
    for description in DESCRIPTIONS:
        if description.field not in in_words:
            value = getattr(settings, description.field)
            assert description.read(description.variable, description.default) == value
            assert not isinstance(value, float) or math.isfinite(value)
