"""The Debian package: the payload of every other way of installing, with what dpkg and its users expect around it."""
