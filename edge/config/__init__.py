"""One schema for everything that the daemon can be told."""

from edge.config.settings import (
    DEFAULT_PATH,
    Config,
    GateSettings,
    HealthSettings,
    HomeAssistantSettings,
    JournalSettings,
    ModelSettings,
    MqttSettings,
    SourceSettings,
    TlsSettings,
    changed,
    load,
)

__all__ = [
    "DEFAULT_PATH",
    "Config",
    "GateSettings",
    "HealthSettings",
    "HomeAssistantSettings",
    "JournalSettings",
    "ModelSettings",
    "MqttSettings",
    "SourceSettings",
    "TlsSettings",
    "changed",
    "load",
]
