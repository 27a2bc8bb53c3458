/** Sound of any sample rate at 16 kHz, as a stream: a windowed sinc for each phase of the two rates. */

import { SAMPLE_RATE } from "./format.ts";

const CROSSINGS = 24; // of the sinc, on either side
const PASSED = 0.94; // of the lower Nyquist frequency
const KAISER_BETA = 8; // 80 dB of what is above it are gone

/** Turns sound of `rate` Hz, a whole number, into sound at 16 kHz; what comes out lags by its filter's half length. */
export class Resampler {
  private readonly up: number;
  private readonly down: number;
  private readonly taps: number; // of each phase
  private readonly phases: Float32Array[];
  private held: Float32Array; // the newest samples of before
  private position = 0; // of the next output, in 1 / up of a sample, from the first held one

  constructor(rate: number) {
    const divisor = greatestCommonDivisor(rate, SAMPLE_RATE);
    this.up = SAMPLE_RATE / divisor;
    this.down = rate / divisor;
    const cutoff = PASSED * Math.min(1, this.up / this.down); // of the input's Nyquist frequency
    const half = Math.ceil(CROSSINGS / cutoff);
    this.taps = 2 * half;
    this.phases = Array.from({ length: this.up }, (_, phase) => kernel(half, cutoff, phase / this.up));
    this.held = new Float32Array(this.taps - 1);
  }

  /** The next samples at 16 kHz that these bring. */
  push(samples: Float32Array): Float32Array {
    if (this.up === this.down) return samples.slice();
    const all = new Float32Array(this.held.length + samples.length);
    all.set(this.held);
    all.set(samples, this.held.length);
    const last = (all.length - this.taps) * this.up;
    const count = last < this.position ? 0 : Math.floor((last - this.position) / this.down) + 1;
    const out = new Float32Array(count);
    for (let index = 0; index < count; index++, this.position += this.down) {
      const first = Math.floor(this.position / this.up);
      const weights = this.phases[this.position % this.up];
      let sum = 0;
      for (let tap = 0; tap < this.taps; tap++) sum += weights[tap] * all[first + tap];
      out[index] = sum;
    }
    const passed = Math.min(Math.floor(this.position / this.up), all.length);
    this.held = all.slice(passed);
    this.position -= passed * this.up;
    return out;
  }
}

/** Weights of a low-pass at `cutoff` (of the Nyquist frequency) whose centre lies `phase` behind the middle. */
function kernel(half: number, cutoff: number, phase: number): Float32Array {
  const weights = Float64Array.from({ length: 2 * half }, (_, tap) => {
    const distance = tap - half + 1 - phase;
    const window = bessel(KAISER_BETA * Math.sqrt(Math.max(0, 1 - (distance / half) ** 2))) / bessel(KAISER_BETA);
    const turn = Math.PI * cutoff * distance;
    return window * (turn === 0 ? 1 : Math.sin(turn) / turn);
  });
  const sum = weights.reduce((total, weight) => total + weight, 0);
  return Float32Array.from(weights, (weight) => weight / sum);
}

/** The modified Bessel function of the first kind and order 0. */
function bessel(x: number): number {
  let [sum, term] = [1, 1];
  for (let k = 1; term > 1e-12 * sum; k++) {
    term *= (x / (2 * k)) ** 2;
    sum += term;
  }
  return sum;
}

function greatestCommonDivisor(a: number, b: number): number {
  return b === 0 ? a : greatestCommonDivisor(b, a % b);
}
