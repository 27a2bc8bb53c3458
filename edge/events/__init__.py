"""What an event is on the wire."""
