"""A task's rows from a real PostgreSQL."""

from pathlib import Path
from typing import Any

import pandas as pd
import pytest
from sqlalchemy import create_engine

from data import fetch as fetching
from data.errors import InputError
from data.prepare import prepare
from tests.conftest import churn_table
from tests.servers.postgres import PASSWORD, USER, Postgres

pytestmark = pytest.mark.xdist_group("servers")

QUERY = "select *, since::date as day, number % 7 as seventh from visits order by number"


@pytest.fixture(scope="module")
def shop(postgres: Postgres) -> str:
    """The URL of a database with a table of visits, in which types are PostgreSQL's own."""
    url = postgres.create("shop")
    table = churn_table(400).assign(number=range(400), since=pd.Timestamp("2026-01-01 12:00", tz="UTC"))
    engine = create_engine(url)
    table.to_sql("visits", engine, index=False)
    with engine.begin() as connection:
        connection.exec_driver_sql("alter table visits add paid numeric(8, 2), add vip boolean")
        connection.exec_driver_sql("update visits set paid = number / 7.0, vip = nullif(mod(number, 3), 0) = 1")
    engine.dispose()
    return url


@pytest.fixture
def content(postgres: Postgres, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> dict[str, Any]:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("SHOP_PASSWORD", PASSWORD)
    url = f"postgresql+psycopg2://{USER}:${{SHOP_PASSWORD}}@127.0.0.1:{postgres.port}/shop"
    return {"seed": 1, "tasks": {"visits": {"source": {"url": url, "query": QUERY}, "target": "churned"}}}


def test_rows_keep_their_types_and_go_on_to_splits(shop: str, content: dict[str, Any]) -> None:
    rows = pd.read_parquet(fetching.fetch(content, "visits") / "rows.parquet", dtype_backend="pyarrow")
    assert len(rows) == 400
    assert rows.dtypes.astype(str).to_dict() == {
        **dict.fromkeys(["tenure", "paid"], "double[pyarrow]"),
        **dict.fromkeys(["visits", "number", "seventh"], "int64[pyarrow]"),
        **dict.fromkeys(["plan", "churned"], "string[pyarrow]"),
        "vip": "bool[pyarrow]",
        "since": "timestamp[us, tz=UTC][pyarrow]",
        "day": "date32[day][pyarrow]",
    }
    prepare(content, "visits")
    assert len(pd.read_parquet("data/prepared/visits/train.parquet")) == 280


def test_the_password_is_neither_shown_nor_stored(
    shop: str, content: dict[str, Any], tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    fetching.fetch(content, "visits")
    content["tasks"]["visits"]["source"]["query"] = "select * from nowhere"
    with pytest.raises(InputError, match='relation "nowhere" does not exist') as error:
        fetching.fetch(content, "visits")
    written = [path.read_bytes() for path in tmp_path.rglob("*") if path.is_file()]
    assert len(written) > 2
    said = "".join([*capfd.readouterr(), str(error.value)])
    for secret in (PASSWORD, "s3cret"):
        assert secret not in said
        assert not [text for text in written if secret.encode() in text]


def test_a_wrong_password_and_a_server_that_is_gone_are_one_line_each(
    shop: str, postgres: Postgres, content: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    def refusal() -> str:
        with pytest.raises(InputError) as error:
            fetching.fetch(content, "visits")
        assert not Path("data/raw/visits").exists()
        return str(error.value)

    at = f'connection to server at "127.0.0.1", port {postgres.port} failed'
    where = f"params.yaml: tasks.visits.source: postgresql+psycopg2://{USER}:***@127.0.0.1:{postgres.port}/shop: {at}"
    fix = "correct the URL or the query, or see to the server"
    monkeypatch.setenv("SHOP_PASSWORD", "wr0ng")
    assert refusal() == f'{where}: FATAL:  password authentication failed for user "{USER}"; {fix}'
    postgres.stop()
    try:
        assert refusal() == f"{where}: Connection refused; {fix}"
    finally:
        postgres.start()
