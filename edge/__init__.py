"""affectd on the device: from sound to an MQTT event that says how a person sounded, and why."""

__version__ = "0.1.0"
