"""What runs on the device itself. Standard library alone, and it travels inside every payload."""
