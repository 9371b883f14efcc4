"""Users, AWS and the cluster do what they like in any order; what was promised holds throughout."""

from datetime import timedelta
from typing import Any

from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from awssts.domain import names
from awssts.domain.errors import (
    AccessDenied,
    ClusterForbidden,
    ClusterUnavailable,
    InvalidAccessKey,
    StsUnavailable,
    Throttled,
)
from awssts.domain.keys import KeyPair
from tests.unit.builders import HOUR, KEY, MINUTE, OTHER_KEY, ROLE_ARN, Json, encoded, key_data
from tests.unit.services.fakes import Killed
from tests.unit.services.world import KEYS, REPORTS, World

SPECS: dict[str, Json] = {
    "plain": {},
    "short": {"duration": "15m"},
    "role": {"role": {"arn": ROLE_ARN}, "duration": "2h"},
    "eager": {"duration": "1h", "renewBefore": "59m"},
    "one format": {"target": {"formats": ["CredentialProcess"]}},
    "other format": {"target": {"formats": ["CredentialsFile"], "creationPolicy": "Orphan"}},
    "suspended": {"suspend": True},
}
STS_FAULTS = [Throttled("later"), StsUnavailable("no answer"), AccessDenied("no"), InvalidAccessKey("no such key")]
CLUSTER_FAULTS = [ClusterUnavailable("503"), ClusterForbidden("403"), Killed()]
CALLS = ["request", "secret", "secret_metadata", "apply_secret", "apply_status", "*"]


class Operator(RuleBasedStateMachine):
    """One request, its two Secrets, and all that can happen to them."""

    def __init__(self) -> None:
        super().__init__()
        self.world = World()
        self.world.cluster.before_secret_write.append(self._never_worse)
        self.wanted: Json = {}
        self.renew = ""
        self.changes = 0
        self.altered = False  # whether somebody spoilt the target since it was written

    def teardown(self) -> None:
        self.world.close()

    def _never_worse(self, before: Json | None, after: Json) -> None:
        """The first promise, at every write."""
        if after["metadata"]["name"] != REPORTS[1]:
            return
        new, old = self.world.sts.holds_live(after), self.world.sts.holds_live(before)
        if self.altered:
            self.altered = False
            assert new, "a repair writes whole credentials"
        elif old:
            assert new, "a live credential was replaced by nothing"
            assert new >= old, "a live credential was replaced by an older one"
        elif before is not None or not self.world.sts.faults:
            assert new, "credentials were written that are not whole"

    def act(self) -> None:
        """Let the operator work; when it is killed on the way, another starts."""
        try:
            self.world.settle()
        except Killed:
            self.world.restart()
            self.act()

    # Users.

    @initialize()
    def begin(self) -> None:
        self.world.give_keys()
        self.apply("plain")

    @rule(kind=st.sampled_from(sorted(SPECS)))
    def apply(self, kind: str) -> None:
        self.wanted = SPECS[kind]
        self._apply()

    @rule(text=st.sampled_from(["1", "2", "3"]))
    def renew_now(self, text: str) -> None:
        self.renew = text
        self._apply()

    def _apply(self) -> None:
        annotations = {names.RENEW: self.renew} if self.renew else {}
        self.world.apply(annotations=annotations, **self.wanted)
        self.act()

    @rule()
    def delete_target(self) -> None:
        self.altered = True
        self.world.cluster.delete_secret(REPORTS)
        self.act()

    @precondition(lambda self: self.world.secret() is not None)
    @rule(data=st.sampled_from([{}, encoded({"AWS_ACCESS_KEY_ID": "x"})]))
    def alter_target(self, data: Any) -> None:
        self.altered = True
        self.world.cluster.put_secret(REPORTS, data)
        self.act()

    @precondition(lambda self: self.world.secret() is not None)
    @rule()
    def take_the_label_from_the_target(self) -> None:
        secret = self.world.secret()
        assert secret is not None
        self.world.cluster.put_secret(REPORTS, secret["data"], labels={})
        self.act()

    @rule(pair=st.sampled_from([KEY, OTHER_KEY]), labelled=st.booleans())
    def change_key(self, pair: KeyPair, labelled: bool) -> None:
        self.world.give_keys(pair, labelled=labelled)
        self.act()

    @rule(data=st.sampled_from([{}, key_data(KeyPair("AKIAUNKNOWNUNKNOWN00", "x" * 40)), {"aws_access_key_id": "!"}]))
    def break_key(self, data: dict[str, str]) -> None:
        self.world.cluster.put_secret(KEYS, data)
        self.act()

    @rule()
    def delete_key(self) -> None:
        self.world.cluster.delete_secret(KEYS)
        self.act()

    # The outside.

    @rule(fault=st.sampled_from(STS_FAULTS), times=st.integers(1, 5), done=st.booleans())
    def sts_fails(self, fault: Exception, times: int, done: bool) -> None:
        self.world.sts.fail(fault, times=times, done=done)

    @rule(
        call=st.sampled_from(CALLS),
        fault=st.sampled_from(CLUSTER_FAULTS),
        times=st.integers(1, 3),
        done=st.booleans(),
    )
    def cluster_fails(self, call: str, fault: BaseException, times: int, done: bool) -> None:
        self.world.cluster.fail(call, fault, times=times, done=done)

    @rule()
    def restart(self) -> None:
        self.world.restart()
        self.act()

    @rule(seconds=st.sampled_from([1, 30, 300, 3600, 6 * 3600, 13 * 3600]))
    def time_passes(self, seconds: int) -> None:
        self._advance(timedelta(seconds=seconds))

    def _advance(self, by: timedelta) -> None:
        end = self.world.clock() + by
        while self.world.clock() < end:
            try:
                self.world.until(end)
            except Killed:
                self.world.restart()
        self.act()

    # What holds.

    @rule()
    def all_gets_well_when_it_is_left_in_peace(self) -> None:
        self.world.sts.faults.clear()
        self.world.cluster.faults.clear()
        self.world.give_keys(KEY)
        self._advance(20 * MINUTE)
        if self.wanted.get("suspend"):
            assert self.world.ready() in {"True Suspended", "False Suspended"}
        else:
            assert self.world.ready() == "True Issued"
            assert self.world.live()

    @rule()
    def a_missing_key_is_what_is_told(self) -> None:
        self.world.sts.faults.clear()
        self.world.cluster.faults.clear()
        self.world.cluster.delete_secret(KEYS)
        self.changes += 1
        self.wanted = {"duration": f"{90 + self.changes}m"}
        self._apply()
        self._advance(20 * MINUTE)
        assert self.world.ready() in {
            "True RenewalFailing, Stalled SecretNotFound",
            "False SecretNotFound, Stalled SecretNotFound",
        }

    @invariant()
    def rest_costs_nothing(self) -> None:
        """Neither a look at it again nor a restart makes a call to STS or a write, while nothing is wrong."""
        world = self.world
        if world.cluster.faults or world.sts.faults or REPORTS not in world.cluster.requests:
            return
        if world.ready() == "True Issued" and world.resting:
            assert world.costs(world.settle) == (0, 0)
            assert world.costs(world.restart) == (0, 0)
            assert world.costs(world.settle) == (0, 0)

    @invariant()
    def ready_tells_the_truth(self) -> None:
        if REPORTS not in self.world.cluster.requests or self.altered:
            return
        if self.world.ready().startswith("True") and not self.world.cluster.faults:
            assert self.world.live()
            assert self.world.clock() - self.world.condition("Ready").last_transition_time < 1000 * HOUR


TestOperator = Operator.TestCase
TestOperator.settings = settings(
    max_examples=40, stateful_step_count=25, deadline=None, suppress_health_check=[HealthCheck.too_slow]
)
