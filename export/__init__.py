"""From a PyTorch checkpoint to a model bundle that a device accepts."""
