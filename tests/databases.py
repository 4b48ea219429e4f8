"""A PostgreSQL server of the tests' own, from Debian's package, on a socket in a folder."""

from __future__ import annotations

import os
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

UNPRIVILEGED = "nobody"
RUNUSER = shutil.which("runuser", path=f"{os.environ.get('PATH', '')}:/usr/sbin:/sbin")


def programs() -> Path | None:
    """The folder of initdb and pg_ctl, which Debian keeps out of PATH."""
    installed = sorted(Path("/usr/lib/postgresql").glob("*/bin/initdb"))
    if installed:
        return installed[-1].parent
    initdb = shutil.which("initdb")
    return Path(initdb).resolve().parent if initdb else None


def as_server(*command: str | Path) -> None:
    """Runs a program of PostgreSQL, which refuses to be root's."""
    before = [str(RUNUSER), "-u", UNPRIVILEGED, "--"] if os.getuid() == 0 else []
    subprocess.run(
        [*before, *map(str, command)],
        check=True,
        cwd="/",
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        timeout=60,
    )


@pytest.fixture(scope="session")
def postgresql() -> Iterator[str]:
    """URL of a database on a server that is started for this session."""
    pytest.importorskip("psycopg")
    bin_folder = programs()
    if bin_folder is None:
        pytest.skip("no PostgreSQL server (on Debian: apt-get install postgresql)")
    if os.getuid() == 0 and RUNUSER is None:
        pytest.skip("PostgreSQL does not run as root, and there is no runuser")
    folder = Path(tempfile.mkdtemp(prefix="clearance-pg-"))
    try:
        if os.getuid() == 0:
            shutil.chown(folder, UNPRIVILEGED)
        data = folder / "data"
        as_server(
            bin_folder / "initdb", "-D", data, "-U", "clearance", "-A", "trust", "-E", "UTF8",
            "--locale=C", "--no-sync",
        )  # fmt: skip
        options = f"-c listen_addresses='' -c unix_socket_directories='{folder}' -c fsync=off"
        as_server(
            bin_folder / "pg_ctl", "-D", data, "-w", "-l", folder / "log", "-o", options, "start"
        )
        try:
            yield f"postgresql://clearance@/postgres?host={folder}"
        finally:
            as_server(bin_folder / "pg_ctl", "-D", data, "-m", "immediate", "stop")
    finally:
        shutil.rmtree(folder, ignore_errors=True)


@pytest.fixture
def postgresql_place(postgresql: str) -> str:
    """URL of an empty schema."""
    import secrets

    import sqlalchemy as sa

    name = f"s{secrets.token_hex(4)}"
    engine = sa.create_engine(postgresql.replace("postgresql:", "postgresql+psycopg:"))
    with engine.begin() as connection:
        connection.exec_driver_sql(f"CREATE SCHEMA {name}")
    engine.dispose()
    return f"{postgresql}&options=-csearch_path%3D{name}"


@pytest.fixture(params=["sqlite", "postgresql"])
def place(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """Where a record may be made, in either database."""
    if request.param == "sqlite":
        return str(tmp_path / "record.sqlite")
    return request.getfixturevalue("postgresql_place")
