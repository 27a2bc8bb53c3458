/** Up to which frequency an utterance holds speech (edge/sources/bandwidth.py). */

import { quantiles } from "../hearing/frames.ts";
import { Spectrum } from "./fft.ts";
import { FULL_SCALE } from "./format.ts";

const WINDOW = 512;
const BAND_BINS = 8; // 250 Hz
const BAND_HZ = 250;
const BELOW_PEAK_DB = 65; // speech's weakest band lies no further below its strongest
const ABOVE_NOISE_DB = 6;

const spectrum = new Spectrum(WINDOW);

/** The highest frequency, Hz, in steps of 250; 0 without any. Samples at 16 kHz, full scale 1. */
export function bandwidth(samples: Float32Array): number {
  const magnitudes = new Float32Array(WINDOW / 2 + 1);
  const levels: number[][] = Array.from({ length: WINDOW / 2 / BAND_BINS }, () => []);
  for (let at = 0; at + WINDOW <= samples.length; at += WINDOW / 2) {
    spectrum.magnitudes(samples, at, magnitudes);
    levels.forEach((band, index) => {
      let power = 1e-3;
      for (let bin = 1 + index * BAND_BINS; bin <= (index + 1) * BAND_BINS; bin++) power += (magnitudes[bin] * FULL_SCALE) ** 2;
      band.push(10 * Math.log10(power));
    });
  }
  if (!levels[0].length) return 0;
  const found = levels.map((band) => quantiles(band, [0.95, 0.1]));
  const peak = Math.max(...found.map(([loud]) => loud));
  const held = found.map(([loud, quiet]) => loud > peak - BELOW_PEAK_DB && loud > quiet + ABOVE_NOISE_DB);
  return (held.lastIndexOf(true) + 1) * BAND_HZ;
}
