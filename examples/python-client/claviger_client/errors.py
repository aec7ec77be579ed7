"""Why there is no key."""


class ClavigerError(Exception):
    """Anything that this package raises by itself."""


class ProtocolError(ClavigerError):
    """The host, or what it answered, is not what was meant."""


class Unavailable(ClavigerError):
    """The host is busy, unwell or out of reach; the same may succeed later."""

    def __init__(self, reason, retry_after=None):
        super().__init__(reason)
        self.retry_after = retry_after


class Refused(ClavigerError):
    """The host decided against it. ``code`` is stable: ``release-denied``, ``key-disabled``, …"""

    def __init__(self, code, title, request_id):
        super().__init__(f"{code}: {title} [request {request_id}]")
        self.code = code
        self.request_id = request_id
