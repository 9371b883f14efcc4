"""What probes and metrics are told of the work: whether it goes on, or why the process should be started again."""

from datetime import timedelta
from typing import TYPE_CHECKING

from awssts.services.observations import Observations
from awssts.services.scheduler import Scheduler

if TYPE_CHECKING:
    from awssts.adapters.telemetry import Telemetry

STUCK = timedelta(minutes=5)  # no call takes as long: workers that finish nothing meanwhile never will
DEAF = 300.0  # seconds; a watch that is quiet begins anew after 70, and each new one tells of all since the last


class Vitals:
    """Signs of life of the one that works; who follows has none to give, and nothing to complain of.

    ``telemetry``: None where nobody asks.
    """

    def __init__(self, telemetry: "Telemetry | None") -> None:
        self.telemetry = telemetry
        self._at_work: tuple[Scheduler, Observations] | None = None

    def at_work(self, scheduler: Scheduler, observations: Observations) -> None:
        """Take in that the work begins."""
        self._at_work = scheduler, observations
        if self.telemetry is not None:
            self.telemetry.observe(
                standings=observations.standings, backlog=scheduler, watch_lag=lambda: observations.echoes.lag
            )

    def stuck(self) -> str:
        """Say that work has come to a stand; nothing where it goes on, however much there is."""
        still = self._at_work[0].stuck if self._at_work else timedelta()
        return f"requests wait, and none has been worked on for {still.total_seconds():.0f} s" if still > STUCK else ""

    def deaf(self) -> str:
        """Say that a watch does not deliver; nothing where all is well."""
        lag = self._at_work[1].echoes.lag if self._at_work else 0.0
        return f"no watch has told of what was written {lag:.0f} s ago" if lag > DEAF else ""
