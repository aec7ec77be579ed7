"""Where evidence comes from."""

import subprocess
from dataclasses import dataclass, field
from typing import Protocol

from .encoding import decode, encode, member, parse
from .errors import ProtocolError
from .report_data import ReportData


@dataclass(frozen=True)
class Evidence:
    """Evidence as it leaves the attester."""

    tee: str
    media_type: str
    data: bytes
    attachments: list = field(default_factory=list)

    def to_json(self):
        body = {"tee": self.tee, "type": self.media_type, "data": encode(self.data)}
        if self.attachments:
            body["attachments"] = [encode(attachment) for attachment in self.attachments]
        return body


class Platform(Protocol):
    """A trusted execution environment that tells about itself."""

    def evidence(self, report_data: ReportData) -> Evidence:
        """Evidence that carries these report data."""


class Command:
    """A program that prints evidence; it gets the 64 bytes in hexadecimal as its last argument."""

    def __init__(self, arguments, timeout=60):
        self._arguments = list(arguments)
        self._timeout = timeout

    def evidence(self, report_data):
        command = [*self._arguments, report_data.sha512().hex()]
        ran = subprocess.run(
            command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, timeout=self._timeout
        )
        if ran.returncode != 0:
            raise ProtocolError(f"{self._arguments[0]} ended with {ran.returncode}")
        printed = parse(ran.stdout)
        return Evidence(
            member(printed, "tee", str),
            member(printed, "type", str),
            decode(member(printed, "data", str)),
            [decode(attachment) for attachment in printed.get("attachments", [])],
        )
