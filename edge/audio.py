"""Audio as every part of affectd passes it on: int16 mono at 16 kHz, in blocks of 32 ms."""

SAMPLE_RATE = 16_000  # Hz, of everything behind a source
BLOCK_SAMPLES = 512  # 32 ms: the block that the neural voice detector is trained on
BLOCK_SECONDS = BLOCK_SAMPLES / SAMPLE_RATE
FULL_SCALE = 32768.0  # of int16
