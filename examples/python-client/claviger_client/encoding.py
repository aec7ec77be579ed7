"""Base64url without padding (RFC 4648, section 5), and JSON whose members stand once."""

import base64
import json
import re

from .errors import ProtocolError

_ALPHABET = re.compile(r"[A-Za-z0-9_-]*")


def encode(data):
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode("ascii")


def decode(text):
    """Only the one spelling: no padding, no foreign characters, no bits left over."""
    if not isinstance(text, str) or not _ALPHABET.fullmatch(text) or len(text) % 4 == 1:
        raise ProtocolError("not base64url without padding")
    data = base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))
    if encode(data) != text:
        raise ProtocolError("not base64url without padding")
    return data


def _members(pairs):
    members = dict(pairs)
    if len(members) != len(pairs):
        raise ProtocolError("a member of a JSON object stands twice")
    return members


def parse(data):
    """A JSON object."""
    try:
        value = json.loads(data, object_pairs_hook=_members)
    except (ValueError, RecursionError) as error:
        raise ProtocolError("not JSON") from error
    if not isinstance(value, dict):
        raise ProtocolError("not a JSON object")
    return value


def member(value, name, kind):
    """A member that must be there and of this type."""
    found = value.get(name)
    if not isinstance(found, kind) or isinstance(found, bool) and kind is int:
        raise ProtocolError(f"the member {name!r} is missing or malformed")
    return found
