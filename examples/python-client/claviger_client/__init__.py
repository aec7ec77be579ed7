"""A workload's side of secure key release: attest to a Claviger host, open the keys that it releases."""

from .client import Attested, Client, ReleasedKey
from .errors import ClavigerError, ProtocolError, Refused, Unavailable
from .platform import Command, Evidence, Platform
from .report_data import ReportData

__all__ = [
    "Attested",
    "ClavigerError",
    "Client",
    "Command",
    "Evidence",
    "Platform",
    "ProtocolError",
    "Refused",
    "ReleasedKey",
    "ReportData",
    "Unavailable",
]
