"""The way to the work, in virtual time: outages are waited out, mistakes are told, and it can be stopped anywhere."""

import asyncio

import pytest

from awssts.adapters.cluster import NotInstalled
from awssts.domain.errors import AwsstsError, ClusterForbidden, ClusterUnavailable
from awssts.starting import Start, Stopped
from tests.unit.services.virtual_time import run

AWAY = ClusterUnavailable("the API server does not answer: ClientConnectorError")


class Cluster:
    """Answers with what a test gives, and notes when it was asked."""

    def __init__(self, *answers: AwsstsError | str) -> None:
        self._answers = list(answers)
        self.asked: list[float] = []

    async def __call__(self) -> str:
        self.asked.append(asyncio.get_running_loop().time())
        answer = self._answers.pop(0)
        if isinstance(answer, AwsstsError):
            raise answer
        return answer


def test_an_outage_is_waited_out() -> None:
    async def main() -> None:
        start, cluster = Start(asyncio.Event()), Cluster(*[AWAY] * 7, "here")
        assert start.unreached
        assert await start.until_answered(cluster) == "here"
        assert cluster.asked == [0, 1, 3, 7, 15, 30, 45, 60]
        assert start.unreached == AWAY.message, "more may have to be asked"
        start.reached()
        assert start.unreached == ""

    run(main())


def test_a_later_outage_is_none_of_readiness() -> None:
    """Who has reached the cluster serves the webhook."""

    async def main() -> None:
        start = Start(asyncio.Event())
        start.reached()
        await start.until_answered(Cluster(AWAY, "here"))
        assert start.unreached == ""

    run(main())


@pytest.mark.parametrize("error", [NotInstalled("install the CRDs"), ClusterForbidden("give it the right")])
def test_what_only_a_person_can_mend_is_told(error: AwsstsError) -> None:
    async def main() -> None:
        with pytest.raises(type(error)):
            await Start(asyncio.Event()).until_answered(Cluster(AWAY, error))

    run(main())


@pytest.mark.parametrize("seconds", [0.5, 2, 40])
def test_it_can_be_stopped_anywhere(seconds: float) -> None:
    async def main() -> None:
        stop = asyncio.Event()
        asyncio.get_running_loop().call_later(seconds, stop.set)
        with pytest.raises(Stopped):
            await Start(stop).until_answered(Cluster(*[AWAY] * 20))
        assert asyncio.get_running_loop().time() == seconds

    run(main())


def test_what_is_under_way_is_cancelled() -> None:
    async def main() -> None:
        stop, cancelled = asyncio.Event(), []

        async def hang() -> None:
            try:
                await asyncio.Event().wait()
            except asyncio.CancelledError:
                cancelled.append(True)
                raise

        asyncio.get_running_loop().call_later(1, stop.set)
        with pytest.raises(Stopped):
            await Start(stop).unless_stopped(hang())
        assert cancelled == [True]

    run(main())
