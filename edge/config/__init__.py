"""Every setting of the daemon, with its default, unit, range and help text."""

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
    VoicesSettings,
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
    "VoicesSettings",
    "changed",
    "load",
]
