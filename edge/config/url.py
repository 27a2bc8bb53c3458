"""The address of a source in the network, as it stands in a configuration."""

from urllib.parse import urlsplit

from edge.config import host as host_name

SCHEMES = {"wyoming": ("tcp",), "rtsp": ("rtsp", "rtsps")}
EXAMPLES = {"wyoming": "tcp://satellite.local:10600", "rtsp": "rtsp://camera.local/stream"}


def problem(kind: str, url: str | None, *, listen: bool = False) -> str | None:
    """What is wrong with ``url`` for a source of ``kind``; None where nothing is. Never says a password in it.

    To ``listen``, it must be an address of this machine, which takes no resolver.
    """
    example = f"such as `url: {EXAMPLES[kind]}`"
    if url is None:
        return f"url is missing: say where the sound comes from, {example}"
    try:
        parts = urlsplit(url)
        host, port, password = parts.hostname, parts.port, parts.password
    except ValueError:
        host, port, password = None, None, None
    if password is not None or (host is not None and "@" in parts.netloc):
        return (
            "url holds a user name: put `user:password` into a file that only the daemon reads, and name it as "
            "credentials_file"
        )
    if (
        host is None
        or parts.scheme not in SCHEMES[kind]
        or not url.isprintable()
        or any(sign in url for sign in " '\\")
    ):
        return f"url is {url!a}, which is no address for {kind}: write one {example}"
    if kind == "wyoming" and (port is None or parts.path.strip("/") or parts.query):
        return f"url is {url!a}: give scheme, host and port alone, {example}"
    if kind == "wyoming" and listen and not host_name.is_address(host):
        return f"url is {url!a}: to listen, give an address of this machine, such as `url: tcp://0.0.0.0:10700`"
    return None
