"""Who the daemon is to a broker: name, password, certificates; from files, never from the command line."""

import os
import ssl
from pathlib import Path

import paho.mqtt.client as paho

from edge.config import MqttSettings, TlsSettings
from edge.errors import AffectdError


def authenticate(client: paho.Client, settings: MqttSettings) -> None:
    """Give a client the name, password and TLS of the settings; AffectdError when a file of theirs is unusable."""
    if settings.username is not None:
        client.username_pw_set(settings.username, _password(settings))
    if settings.tls is not None:
        client.tls_set_context(tls_context(settings.tls))


def _password(settings: MqttSettings) -> str | None:
    """From the file that the settings name, else from the systemd credential ``mqtt-password``, else none."""
    credentials = os.environ.get("CREDENTIALS_DIRECTORY")  # systemd.exec(5), LoadCredential=
    credential = Path(credentials, "mqtt-password") if credentials else None
    path = Path(settings.password_file) if settings.password_file else credential
    if path is None or (path is credential and not path.exists()):
        return None
    try:
        return path.read_text(encoding="utf-8-sig").rstrip("\r\n")
    except (OSError, UnicodeDecodeError) as error:
        raise AffectdError(
            f"the broker's password cannot be read from {path} ({error}): see mqtt.password_file"
        ) from None


def tls_context(tls: TlsSettings) -> ssl.SSLContext:
    """What the settings ask of TLS; AffectdError when a file of theirs is unusable."""
    try:
        context = ssl.create_default_context(cafile=tls.ca_file)
        if tls.certificate_file is not None and tls.key_file is not None:
            context.load_cert_chain(tls.certificate_file, tls.key_file)
    except (OSError, ssl.SSLError) as error:
        raise AffectdError(f"a file of mqtt.tls cannot be used ({error}): it must be PEM and readable") from None
    return context
