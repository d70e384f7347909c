"""A private Asterisk and SIPp on loopback: real calls for the tests, the demo and the benchmarks.

The lab is not part of CallSieve's wheel. It imports nothing of CallSieve, so that an error of CallSieve cannot also
spoil the test of it. The lab installs nothing and needs no root.
"""

from lab.asterisk import Asterisk
from lab.carrier import CallSpec, Carrier
from lab.debian import LabUnavailable
from lab.fetch import PbxPaths, ensure_pbx
from lab.load import Load, LoadResult
from lab.messages import SipMessage
from lab.phone import Answering, Phone
from lab.result import CallResult

__all__ = [
    "Answering",
    "Asterisk",
    "CallResult",
    "CallSpec",
    "Carrier",
    "LabUnavailable",
    "Load",
    "LoadResult",
    "PbxPaths",
    "Phone",
    "SipMessage",
    "ensure_pbx",
]
