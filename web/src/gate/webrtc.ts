/** WebRTC's voice detector, which costs next to nothing: libfvad, compiled to WebAssembly. */

import fvad from "@echogarden/fvad-wasm";
import { SAMPLE_RATE } from "../audio/format.ts";

const SAMPLES = 480; // 30 ms: of the frame lengths that WebRTC knows, the one nearest to a block
const MODE = 0; // misses the least speech
const RATE_UNKNOWN = -1;

/** Whether a block [512], in int16 units, may hold a voice. */
export type CheapDetector = (block: Float32Array) => boolean;

/** Makes detectors, from the bytes of fvad.wasm. */
export async function cheapDetector(wasm: ArrayBuffer): Promise<CheapDetector> {
  const program = await fvad({ wasmBinary: wasm });
  const detector = program._fvad_new();
  if (program._fvad_set_sample_rate(detector, SAMPLE_RATE) === RATE_UNKNOWN) throw new Error("WebRTC refuses 16 kHz");
  program._fvad_set_mode(detector, MODE);
  const buffer = program._malloc(2 * SAMPLES);
  return (block) => {
    const place = new Int16Array(program.HEAP16.buffer, buffer, SAMPLES);
    for (let index = 0; index < SAMPLES; index++) place[index] = block[index];
    return program._fvad_process(detector, buffer, SAMPLES) === 1;
  };
}
