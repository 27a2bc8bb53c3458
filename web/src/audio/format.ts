/** Audio as every part passes it on: mono at 16 kHz, in blocks of 32 ms (edge/audio.py). */

export const SAMPLE_RATE = 16_000; // Hz
export const BLOCK_SAMPLES = 512; // the block that the neural voice detector is trained on
export const BLOCK_SECONDS = BLOCK_SAMPLES / SAMPLE_RATE;
export const FULL_SCALE = 32_768; // of 16 bits
