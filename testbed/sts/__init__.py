"""A strict STS on loopback: AWS's checks, errors and single-use MFA codes, on top of moto's IAM."""

from testbed.sts.client import Device, Key, StrictSts, User, allow
from testbed.sts.journal import Call, Counters

__all__ = ["Call", "Counters", "Device", "Key", "StrictSts", "User", "allow"]
