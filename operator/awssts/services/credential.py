"""A long-term key with the Secret that it comes from."""

import contextlib
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime

from awssts.domain import keys, schedule
from awssts.domain.errors import AccessKeyNotActiveYet, InvalidAccessKey
from awssts.domain.keys import KeyPair
from awssts.services.ports import Json


@dataclass(frozen=True, slots=True)
class Credential:
    """The key, and the metadata of its Secret."""

    key: KeyPair
    metadata: Json

    @contextlib.contextmanager
    def settling(self, now: datetime) -> Iterator[None]:
        """Within the block, "no such key" means "not yet" where the Secret was changed a moment ago.

        AWS takes some seconds to know a new access key everywhere (IAM user guide, "Changes that I make are not
        always immediately visible").
        """
        try:
            yield
        except InvalidAccessKey:
            if now - keys.changed_at(self.metadata) > schedule.NEW_KEY_SETTLES:
                raise
            raise AccessKeyNotActiveYet("the access key is new, and AWS does not know it everywhere yet") from None
