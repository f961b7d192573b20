"""The settings of a unit, each with its variable, default, meaning and allowed values."""

import re
import secrets
import socket
from collections.abc import Callable, MutableMapping
from typing import Any, NamedTuple

import msgspec

from nodeunit import setting_values as read
from nodeunit.errors import SettingInvalid

HEARTBEATS_PER_LEASE = 3
"""A lease survives at least two lost heartbeats."""


class Settings(msgspec.Struct, frozen=True, kw_only=True):
    """The settings of one unit; `DESCRIPTIONS` explains each field.

    Its JSON is complete, password included, because the supervisor passes it to the daemon. Its `repr` leaves the
    password out. Raises SettingInvalid if the lease is too short for the heartbeat.
    """

    name: str
    host: str
    password: str
    postgres_uri: str
    claim_policy: str
    cpu_weight: float
    memory_weight: float
    trusted_package_regexp: str
    enable_custom_command: bool
    heartbeat_interval_s: float
    lease_ttl_s: float
    reserved_cpu_percent: float
    reserved_memory_mb: float
    log_directory: str
    workspace: str
    npm_registry: str
    npm_scripts: bool
    python_index: str
    python_source_builds: bool
    install_timeout_s: float
    store_keep_s: float
    log_max_bytes: int
    log_max_files: int
    log_compress: bool
    stop_grace_s: float
    log_level: str
    program_env_file: str
    secrets_directory: str
    run_as: str
    port_range: tuple[int, int]

    @classmethod
    def from_environment(cls, environ: MutableMapping[str, str]) -> "Settings":
        """Reads the variables, and removes NODE_UNIT_PASSWORD from `environ` even if another is invalid.

        An empty value counts as unset. Raises SettingInvalid, or its subclass for a policy, weight or
        pattern.
        """
        texts = {**environ, "NODE_UNIT_PASSWORD": environ.pop("NODE_UNIT_PASSWORD", "")}
        found: dict[str, Callable[[], Any]] = {
            "name": socket.gethostname,
            "host": socket.gethostname,
            "password": secrets.token_urlsafe,
            "log_directory": lambda: read.state_directory(environ),
            "workspace": lambda: read.state_directory(environ),
        }
        values = {}
        for description in DESCRIPTIONS:
            name, variable = description.field, description.variable
            if not texts.get(variable) and name in found:
                values[name] = found[name]()
            else:
                values[name] = description.read(variable, texts.get(variable) or description.default)
        return cls(**values)

    def __post_init__(self) -> None:
        # The tolerance is for decimal fractions: 3 x 0.1 is more than 0.3.
        if self.lease_ttl_s < HEARTBEATS_PER_LEASE * self.heartbeat_interval_s * (1 - 1e-9):
            raise SettingInvalid(
                f"NODE_UNIT_LEASE_TTL is {self.lease_ttl_s:g}, which is less than {HEARTBEATS_PER_LEASE}"
                f" heartbeats: NODE_UNIT_HEARTBEAT_INTERVAL is {self.heartbeat_interval_s:g}"
            )

    def __rich_repr__(self) -> list[tuple[str, Any]]:
        shown = {name: getattr(self, name) for name in self.__struct_fields__}
        shown.update(password="***", postgres_uri=without_password(self.postgres_uri))
        return list(shown.items())

    def __repr__(self) -> str:
        return f"Settings({', '.join(f'{name}={value!r}' for name, value in self.__rich_repr__())})"


class Description(NamedTuple):
    """A setting as help texts and tables show it."""

    field: str
    """Its name in `Settings`."""
    variable: str
    """The environment variable."""
    default: str
    """The text used when the variable is unset or empty, or a description of it."""
    meaning: str
    read: Callable[[str, str], Any]
    """Makes the value from variable and text; raises SettingInvalid."""


DESCRIPTIONS: tuple[Description, ...] = (
    Description(
        "name", "NODE_UNIT_NAME", "the host name", "name of this unit; with the password, its identity", read.plain_text
    ),
    Description(
        "host",
        "NODE_UNIT_HOST",
        "the host name",
        "name or IP address at which others reach the programs of this unit",
        read.host,
    ),
    Description(
        "password",
        "NODE_UNIT_PASSWORD",
        "a fresh random one",
        "secret from which, with the name, the key pair of this unit is made",
        read.plain_text,
    ),
    Description(
        "postgres_uri", "POSTGRES_URI", "", "the database, as a libpq URI or as keywords and values", read.plain_text
    ),
    Description(
        "claim_policy",
        "NODE_UNIT_CLAIM_POLICY",
        "deployment_count",
        "who claims: deployment_count, the unit with the fewest deployments; resource_usage, the one with the"
        " least CPU and memory in use; none, never this one",
        read.policy,
    ),
    Description(
        "cpu_weight",
        "NODE_UNIT_CPU_WEIGHT",
        "0.5",
        "weight of a percent of CPU under resource_usage",
        read.weight,
    ),
    Description(
        "memory_weight",
        "NODE_UNIT_MEMORY_WEIGHT",
        "0.5",
        "weight of a GiB of memory under resource_usage",
        read.weight,
    ),
    Description(
        "trusted_package_regexp",
        "TRUSTED_PACKAGE_REGEXP",
        "^@yuants/",
        "the packages this unit may run: a regular expression to find in name@version",
        read.pattern,
    ),
    Description(
        "enable_custom_command",
        "ENABLE_CUSTOM_COMMAND",
        "false",
        "whether the command of a row is run; if not, it is ignored",
        read.opening_switch,
    ),
    Description(
        "heartbeat_interval_s",
        "NODE_UNIT_HEARTBEAT_INTERVAL",
        "2",
        "seconds from one heartbeat to the next",
        read.duration,
    ),
    Description(
        "lease_ttl_s",
        "NODE_UNIT_LEASE_TTL",
        "10",
        "seconds without a heartbeat after which this unit is lost; at least three heartbeats",
        read.duration,
    ),
    Description(
        "reserved_cpu_percent",
        "NODE_UNIT_RESERVED_CPU_PERCENT",
        "1.0",
        "percent of the machine's CPU expected of a package that was never measured",
        read.amount,
    ),
    Description(
        "reserved_memory_mb",
        "NODE_UNIT_RESERVED_MEMORY_MB",
        "64",
        "MiB of memory expected of a package that was never measured",
        read.amount,
    ),
    Description(
        "log_directory",
        "NODE_UNIT_LOG_DIR",
        "$XDG_STATE_HOME/nodeunit, or ~/.local/state/nodeunit",
        "where the output of the programs is kept",
        read.directory,
    ),
    Description(
        "workspace",
        "NODE_UNIT_WORKSPACE",
        "$XDG_STATE_HOME/nodeunit, or ~/.local/state/nodeunit",
        "where packages are installed, and where programs run",
        read.directory,
    ),
    Description(
        "npm_registry",
        "NODE_UNIT_NPM_REGISTRY",
        "",
        "the URL of the npm registry; if unset, as .npmrc of the unit's user says",
        read.registry,
    ),
    Description(
        "npm_scripts",
        "NODE_UNIT_NPM_SCRIPTS",
        "false",
        "whether npm packages may run code while they are installed",
        read.opening_switch,
    ),
    Description(
        "python_index",
        "NODE_UNIT_PYTHON_INDEX",
        "",
        "the URL of the only Python index; if unset, as pip.conf or uv.toml of the unit's user says",
        read.registry,
    ),
    Description(
        "python_source_builds",
        "NODE_UNIT_PYTHON_SOURCE_BUILDS",
        "false",
        "whether Python packages without a wheel are built, which runs code of them",
        read.opening_switch,
    ),
    Description(
        "install_timeout_s",
        "NODE_UNIT_INSTALL_TIMEOUT",
        "600",
        "seconds that one command of an installer may take",
        read.duration,
    ),
    Description(
        "store_keep_s",
        "NODE_UNIT_STORE_KEEP",
        "604800",
        "seconds after which an unused installation, or the directory of a deleted row, is removed",
        read.duration,
    ),
    Description(
        "log_max_bytes",
        "NODE_UNIT_LOG_MAX_SIZE",
        "10Mi",
        "the size at which a program's log is rotated, in bytes or with Ki, Mi, Gi, K, M, G",
        read.size,
    ),
    Description(
        "log_max_files",
        "NODE_UNIT_LOG_MAX_FILES",
        "5",
        "how many older files of a log are kept",
        read.count,
    ),
    Description(
        "log_compress",
        "NODE_UNIT_LOG_ROTATE_COMPRESS",
        "true",
        "whether the older files of a log are compressed; the newest of them stays plain",
        read.switch,
    ),
    Description(
        "stop_grace_s",
        "NODE_UNIT_STOP_GRACE",
        "10",
        "seconds a program has to end before it is killed",
        read.amount,
    ),
    Description(
        "log_level",
        "NODE_UNIT_LOG_LEVEL",
        "info",
        "the lowest level that the unit logs: debug, info, warning or error",
        read.log_level,
    ),
    Description(
        "program_env_file",
        "NODE_UNIT_PROGRAM_ENV_FILE",
        "",
        "a file of NAME=value lines that each program gets as variables; read at each start of a program",
        read.path_or_none,
    ),
    Description(
        "secrets_directory",
        "NODE_UNIT_SECRETS_DIR",
        "",
        "a directory of files that only the user of the unit can read: the secrets that rows may name",
        read.path_or_none,
    ),
    Description(
        "run_as",
        "NODE_UNIT_RUN_AS",
        "",
        "the user, or user:group, that programs run as; only a unit that runs as root can set another one than its own",
        read.plain_text,
    ),
    Description(
        "port_range",
        "NODE_UNIT_PORT_RANGE",
        "20000-29999",
        "the ports for programs whose rows ask for one",
        read.port_range,
    ),
)
"""All settings, in the order of `Settings`."""


def without_password(database: str) -> str:
    """A libpq URI or keyword string that may be shown: each password in it is `***`.

    If a URI is ambiguous, too much is hidden rather than too little.
    """
    if re.match(r"\s*postgres(ql)?://", database):
        database = re.sub(r"(://[^:@/?]*:).*@", r"\1***@", database, flags=re.DOTALL)
        return re.sub(r"(?i)((?:ssl)?password=)[^&]*", r"\1***", database)
    value = r"'(?:[^'\\]|\\.)*'?|(?:[^\s\\]|\\.)*"
    return re.sub(rf"(?i)((?:ssl)?password\s*=\s*)(?:{value})", r"\1***", database, flags=re.DOTALL)
