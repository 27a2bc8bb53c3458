/** The gate as a program, for the tests: int16 samples at 16 kHz on stdin, what they bring to light on stdout. */

import { readFileSync } from "node:fs";
import { BLOCK_SAMPLES } from "../src/audio/format.ts";
import { HighPass } from "../src/audio/highpass.ts";
import { Gate } from "../src/gate/gate.ts";
import { readNpz } from "../src/gate/npz.ts";
import { Silero, SileroWeights } from "../src/gate/silero.ts";
import { cheapDetector } from "../src/gate/webrtc.ts";

const [, , weights, fvad] = process.argv;
const bytes = (path: string | number): ArrayBuffer => new Uint8Array(readFileSync(path)).buffer;
const samples = Float32Array.from(new Int16Array(bytes(0)));
const filter = new HighPass();
const gate = new Gate(await cheapDetector(bytes(fvad)), new Silero(new SileroWeights(readNpz(bytes(weights)))));
const items = [];
for (let at = 0; at + BLOCK_SAMPLES <= samples.length; at += BLOCK_SAMPLES) {
  const block = filter.push(samples.slice(at, at + BLOCK_SAMPLES)).map((value) => Math.min(Math.max(Math.round(value), -32768), 32767));
  items.push(...gate.push(block));
}
items.push(...gate.finish());
console.log(JSON.stringify(items));
