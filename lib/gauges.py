"""What Prometheus is told of the moment it asks: pool, database, queue, disk, provider, the day's bill."""

from collections.abc import Iterable
from datetime import UTC, datetime

from prometheus_client import CollectorRegistry, generate_latest
from prometheus_client.core import GaugeMetricFamily, Metric
from prometheus_client.registry import Collector
from sqlalchemy import Connection

from lib import db, disks, health, jobs, metrics, settings, startup
from lib.errors import AppError
from lib.health import OK
from lib.jobs import Queue

HOUSE = CollectorRegistry()


def scrape(*, alone: bool = False) -> bytes:
    """Everything, in Prometheus' text format. `alone`: for the assistant's own process, without database and files."""
    return generate_latest(metrics.REGISTRY) + (b"" if alone else generate_latest(HOUSE))


class Outside(Collector):
    """Whom questions are sent to."""

    def describe(self) -> Iterable[Metric]:
        """Nothing to be registered by name: that would ask while the process starts."""
        return []

    def collect(self) -> Iterable[Metric]:
        yield _gauge("provider_up", "The installation's AI provider: 0 while its breaker is open.", health.provider() == OK)
        yield _gauge("ai_service_up", "What AI_SERVICE_URL names: 0 while its /health does not answer.", health.service() == OK)


class Moment(Collector):
    """What only the database knows is missing while it is away, and says so: no figure is better than an old one."""

    def describe(self) -> Iterable[Metric]:
        return []

    def collect(self) -> Iterable[Metric]:
        used, most = db.pool_use()
        yield _gauge("pool_connections", "Connections lent out by this process's pool.", used)
        yield _gauge("pool_connections_max", "How many it lends at most.", most)
        fullest = max(*map(disks.full, startup.folders()), startup.backups_full())
        yield _gauge("disk_used_ratio", "The fullest disk that is written to.", fullest)
        yield _gauge("budget_usd", "AI_INSTALLATION_BUDGET.", settings.get().ai_installation_budget)
        try:
            with db.nobody() as connection:
                told = list(_told(connection))
            told += _queue(jobs.state())
        except AppError:
            told = []
        yield _gauge("database_up", "Whether the database answers.", bool(told))
        yield from told


def _told(connection: Connection) -> Iterable[Metric]:
    today = datetime.now(UTC).date()
    spent = connection.execute(db.statement("select app.installation_spend(:day)"), {"day": today}).scalar_one()
    yield _gauge("budget_spent_usd", "Spent and reserved at providers today (UTC), all clinics together.", float(spent))
    yield from _connections(connection)
    yield _alerts(connection)


def _alerts(connection: Connection) -> Metric:
    standing = GaugeMetricFamily("chairside_alerts", "Alerts that stand; clinic_…: of all clinics together.",
                                 labels=["kind"])
    for kind, number in connection.execute(db.statement("select kind, open from app.alert_counts()")):
        standing.add_metric([kind], number)
    return standing


def _queue(queue: Queue) -> Iterable[Metric]:
    by_state = GaugeMetricFamily("chairside_jobs", "Jobs in the queue, by state.", labels=["state"])
    for state in ("waiting", "running", "failed"):
        by_state.add_metric([state], getattr(queue, state))
    yield by_state
    yield _gauge("workers", "Processes that do jobs and were heard of within a minute.", queue.workers)


def _connections(connection: Connection) -> Iterable[Metric]:
    used, most = connection.execute(db.statement("""
        select sum(numbackends), current_setting('max_connections')::int
        from pg_stat_database
        """)).one()
    yield _gauge("database_connections", "Connections that the server holds, of everybody.", used)
    yield _gauge("database_connections_max", "How many it takes.", most)


def _gauge(name: str, text: str, value: float) -> Metric:
    return GaugeMetricFamily(f"chairside_{name}", text, value=float(value))


metrics.REGISTRY.register(Outside())
HOUSE.register(Moment())
