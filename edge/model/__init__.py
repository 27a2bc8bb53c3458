"""What names an emotion: the bundle, its ONNX Runtime sessions, the classifier and the adapter."""
