/** White noise and its power spectra: the breath of a voice that is less clear (edge/explain/spectra.py). */

import { Spectrum } from "../audio/fft.ts";
import type { Power } from "./spectra.ts";

/** Noise in -0.5..0.5 of so many samples: the same each time and in every language (Wellons, lowbias32). */
export function whiteNoise(count: number): Float64Array {
  return Float64Array.from({ length: count }, (_, place) => {
    let mixed = place;
    for (const [shift, factor] of [
      [16, 0x7feb352d],
      [15, 0x846ca68b],
      [16, 1],
    ])
      mixed = Math.imul(mixed ^ (mixed >>> shift), factor);
    return (mixed >>> 0) / 2 ** 32 - 0.5;
  });
}

/** The power spectra of the families: windows of 1024 samples every 256, with zeros beyond the ends. */
export function powerOf(samples: Float64Array): Power {
  const [size, hop] = [1024, 256];
  const [time, width] = [1 + Math.floor(samples.length / hop), size / 2 + 1];
  const padded = new Float64Array(samples.length + 2 * size);
  padded.set(samples, size / 2);
  const spectrum = new Spectrum(size);
  const data = new Float64Array(time * width);
  for (let row = 0; row < time; row++) spectrum.magnitudes(padded, row * hop, data, row * width);
  return { data: data.map((magnitude) => magnitude ** 2), time, width };
}

/** Those of the encoder: windows of 400 samples every 160, reflected at both ends. */
export function finePowerOf(samples: Float64Array): Power {
  const [size, hop] = [400, 160];
  const [time, width] = [Math.floor(samples.length / hop), size / 2 + 1];
  const wave = Float64Array.from({ length: size }, (_, n) => Math.cos((2 * Math.PI * n) / size));
  const data = new Float64Array(time * width);
  const [even, odd] = [new Float64Array(size / 2 + 1), new Float64Array(size / 2 + 1)];
  const at = (place: number): number => {
    const inside = Math.abs(place);
    return samples[inside < samples.length ? inside : 2 * (samples.length - 1) - inside];
  };
  for (let row = 0; row < time; row++) {
    const start = row * hop - size / 2;
    // A cosine is the same from either end and a sine the opposite; the window begins with 0.
    for (let n = 1; n <= size / 2; n++) {
      const [first, last] = [at(start + n), n < size / 2 ? at(start + size - n) : 0];
      const weight = 0.5 - 0.5 * wave[n];
      even[n] = weight * (first + last);
      odd[n] = weight * (first - last);
    }
    for (let bin = 0; bin < width; bin++) {
      let [real, imaginary] = [0, 0];
      for (let n = 1; n <= size / 2; n++) {
        const turn = (bin * n) % size;
        real += even[n] * wave[turn];
        imaginary += odd[n] * wave[(turn + 100) % size]; // a quarter of a period on: a sine, but for its sign
      }
      data[row * width + bin] = real * real + imaginary * imaginary;
    }
  }
  return { data, time, width };
}
