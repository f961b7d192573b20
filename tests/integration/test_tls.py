"""TLS to a real server: a certificate authority of one's own, client certificates, channel binding."""

import datetime
import ipaddress
from pathlib import Path

import psycopg
import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from psycopg.conninfo import make_conninfo
from psycopg.rows import dict_row

from nodeunit.errors import AuthenticationFailed, DatabaseUnreachable
from nodeunit.store.postgres import connections, requirements
from nodeunit.store.postgres.migrator import migrate
from tests.e2e.fleet import Fleet
from tests.support.timescale import TimescaleServer
from tests.support.unit_process import unit_process
from tests.support.waiting import wait_until

NOW = datetime.datetime.now(datetime.UTC)
Key = ec.EllipticCurvePrivateKey


class Authority:
    """Signs certificates."""

    def __init__(self, name: str, directory: Path) -> None:
        self._key = ec.generate_private_key(ec.SECP256R1())
        self._name = _name(name)
        self._directory = directory
        self.path = directory / f"{name}.crt"
        self.path.write_bytes(self._signed(self._name, self._key, ca=True).public_bytes(serialization.Encoding.PEM))

    def issue(self, common_name: str, *addresses: str) -> tuple[Path, Path]:
        """The files of a certificate and of its key, which only its owner can read."""
        key = ec.generate_private_key(ec.SECP256R1())
        certificate = self._signed(_name(common_name), key, addresses=addresses)
        paths = self._directory / f"{common_name}.crt", self._directory / f"{common_name}.key"
        paths[0].write_bytes(certificate.public_bytes(serialization.Encoding.PEM))
        paths[1].touch(0o600)
        paths[1].write_bytes(
            key.private_bytes(
                serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
            )
        )
        return paths

    def _signed(
        self, subject: x509.Name, key: Key, *, ca: bool = False, addresses: tuple[str, ...] = ()
    ) -> x509.Certificate:
        builder = (
            x509.CertificateBuilder().subject_name(subject).issuer_name(self._name).public_key(key.public_key())
            .serial_number(x509.random_serial_number()).not_valid_before(NOW - datetime.timedelta(days=1))
            .not_valid_after(NOW + datetime.timedelta(days=1))
            .add_extension(x509.BasicConstraints(ca=ca, path_length=None), critical=True)
        )  # fmt: skip
        if addresses:
            names = [x509.IPAddress(ipaddress.ip_address(address)) for address in addresses]
            builder = builder.add_extension(x509.SubjectAlternativeName(names), critical=False)
        return builder.sign(self._key, hashes.SHA256())


def _name(text: str) -> x509.Name:
    return x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, text)])


@pytest.fixture
def authority(tmp_path: Path) -> Authority:
    return Authority("ours", tmp_path)


@pytest.fixture
async def server(own_timescale: TimescaleServer, authority: Authority) -> str:
    """The conninfo of a server that takes nothing but TLS from the network: certificates of units, else passwords."""
    conninfo = own_timescale.conninfo
    await migrate(conninfo)
    certificate, key = authority.issue("server", "127.0.0.1")
    files = {"server.crt": certificate.read_text(), "server.key": key.read_text(), "ca.crt": authority.path.read_text()}
    hba = ["local all all trust", "hostssl all certified all cert", "hostssl all all all scram-sha-256"]
    with psycopg.connect(conninfo, autocommit=True, row_factory=dict_row) as owner:
        (row,) = owner.execute("select current_setting('data_directory') as data, current_setting('hba_file') as hba")
        for name, text in {**files, "hba": "\n".join(hba)}.items():
            path = row["hba"] if name == "hba" else f"{row['data']}/{name}"
            owner.execute("create temp table if not exists line (n serial, text text)")
            owner.execute("truncate line")
            for line in text.splitlines():
                owner.execute("insert into line (text) values (%s)", (line,))
            program = psycopg.sql.Literal(f"umask 077; cat > {path}")
            owner.execute(psycopg.sql.SQL("copy (select text from line order by n) to program {}").format(program))
        for name in ("certified", "keyed"):
            owner.execute(psycopg.sql.SQL("create role {} login password 'right'").format(psycopg.sql.Identifier(name)))
            owner.execute("select enroll_unit(%s, null, %s)", (name, "nobody-yet"))
        owner.execute("alter system set ssl_ca_file = 'ca.crt'")
        owner.execute("alter system set ssl = on")
        owner.execute("select pg_reload_conf()")
    wait_until(lambda: _speaks_tls(conninfo), what="the server has read its certificate")
    return conninfo


def _speaks_tls(conninfo: str) -> bool:
    try:
        with psycopg.connect(make_conninfo(conninfo, sslmode="require")):
            return True
    except psycopg.OperationalError:
        return False


async def test_only_the_right_server_is_talked_to(server: str, authority: Authority, tmp_path: Path) -> None:
    verified = make_conninfo(server, sslmode="verify-full", sslrootcert=str(authority.path))
    await requirements.require(verified)
    async with await connections.connect(make_conninfo(verified, channel_binding="require"), "test") as connection:
        row = await (
            await connection.execute("select ssl, version from pg_stat_ssl where pid = pg_backend_pid()")
        ).fetchone()
        assert row is not None
        assert row["ssl"]
    (tmp_path / "other").mkdir()
    other = Authority("theirs", tmp_path / "other")
    for wrong in (
        make_conninfo(verified, sslrootcert=str(other.path)),
        make_conninfo(verified, host="db.example", hostaddr="127.0.0.1"),
    ):
        with pytest.raises(DatabaseUnreachable, match="certificate"):
            await requirements.require(wrong)
    with pytest.raises((DatabaseUnreachable, AuthenticationFailed)):
        await requirements.require(make_conninfo(server, sslmode="disable"))


async def test_a_unit_lives_on_a_client_certificate(server: str, authority: Authority, tmp_path: Path) -> None:
    certificate, key = authority.issue("certified")
    conninfo = make_conninfo(
        server, user="certified", password="wrong", sslmode="verify-full", sslrootcert=str(authority.path),
        sslcert=str(certificate), sslkey=str(key),
    )  # fmt: skip
    foreign_certificate, foreign_key = authority.issue("keyed")
    for wrong in (
        make_conninfo(conninfo, sslcert=str(foreign_certificate), sslkey=str(foreign_key)),
        make_conninfo(conninfo, sslcert=str(tmp_path / "none"), sslkey=str(tmp_path / "none")),
    ):
        with pytest.raises((DatabaseUnreachable, AuthenticationFailed)):
            await requirements.require(wrong)
    fleet = Fleet(make_conninfo(server, sslmode="require"))
    with unit_process(conninfo, tmp_path) as unit:
        wait_until(lambda: "may not act for the unit" in unit.log, within_s=20, what="its login is for another unit")
    fleet.execute("select enroll_unit('certified', null, %s)", unit.address)
    fleet.insert_servers(1)
    with unit_process(conninfo, tmp_path) as unit:
        assert fleet.wait_until_all_claimed() == {unit.address: 1}
