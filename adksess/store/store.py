"""SessionStore: the public API to stored sessions, for ADK's service and for the commands."""

from adksess.store.audit import AuditOperations
from adksess.store.health import check
from adksess.store.models import ServerInfo
from adksess.store.move import MoveOperations
from adksess.store.page import PageOperations
from adksess.store.parts import PartOperations
from adksess.store.resolve import ResolveOperations
from adksess.store.survey import SurveyOperations


class SessionStore(
    AuditOperations,
    MoveOperations,
    PageOperations,
    PartOperations,
    ResolveOperations,
    SurveyOperations,
):
    """Sessions in Redis: create, append, read, list, expire, delete.

    Each base class is one module with the operations of one kind. Safe to share between tasks,
    event loops and threads. Times are Unix seconds, TTLs seconds (0 for no expiry), sizes bytes.
    Every method may raise ServerUnavailable: an outage is never reported as an empty result.
    """

    async def check(self) -> ServerInfo:
        """Ping the server and read its version, role, persistence and memory."""
        return await check(self._client)
