"""The setup program that runs on the device. It uses the standard library alone, and is part of every payload."""
