"""Events kept on disk until the broker has them."""
