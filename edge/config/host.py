"""The name or address of a broker, as it stands in a configuration: a name alone, without scheme, port or brackets."""

import ipaddress
from urllib.parse import urlsplit

_SCHEMES = {"": "", "mqtt": "", "tcp": "", "mqtts": " and `tls: {}`", "ssl": " and `tls: {}`", "tls": " and `tls: {}`"}


def problem(host: str) -> str | None:
    """What is wrong with ``host``, and the right form of what was probably meant; None where nothing is."""
    if is_address(host) or (not any(sign in host for sign in ":/@[]?#") and host.isprintable() and " " not in host):
        return None
    scheme, _, rest = host.strip().rpartition("://")
    try:
        parts = urlsplit(f"//{rest if not is_address(rest) else f'[{rest}]'}")
        name, port = parts.hostname or "", parts.port
    except ValueError:
        name, port = "", None
    if not name or not rest.isprintable() or " " in rest:
        return f"host is {host!a}: give the broker's name or address alone, such as `host: 192.168.1.10`"
    if scheme not in _SCHEMES:
        return f"host is {host!a}: write `host: {name}`, and as `port` the broker's for MQTT, often 1883"
    more = f" and `port: {port}`" if port else ""
    return f"host is {host!a}: write `host: {name}`{more}{_SCHEMES[scheme]}"


def is_address(host: str) -> bool:
    """Whether it is an IP address, of either version."""
    try:
        ipaddress.ip_address(host)
    except ValueError:
        return False
    return True
