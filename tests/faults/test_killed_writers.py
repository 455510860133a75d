"""Writers and a server that are killed: the indexes name every session that is stored."""

from pathlib import Path

import pytest

from tests.churn import prove
from tests.servers import running, valkey_binary


@pytest.mark.slow
@pytest.mark.timeout(180)
async def test_indexes_and_documents_agree(tmp_path: Path) -> None:
    persistent = {"appendonly": "yes", "appendfsync": "always"}
    with running(valkey_binary(), tmp_path, **persistent) as server:
        await prove(server, seconds=8)
