/** Rules of explanations as a program, for the tests: JSON on stdin, what they make of it on stdout. */

import { readFileSync } from "node:fs";
import { counterfactual } from "../src/explain/byaspects.ts";
import { finePowerOf, powerOf, whiteNoise } from "../src/explain/noise.ts";
import { sentence } from "../src/explain/sentence.ts";
import type { Texts } from "../src/hearing/manifest.ts";
import type { AspectEffects, Verdict } from "../src/hearing/verdict.ts";

interface Given {
  readonly texts: Texts;
  readonly said: readonly { readonly verdict: Verdict; readonly aspects: AspectEffects | null }[];
  readonly voices: readonly { readonly logits: number[][]; readonly shares: number[]; readonly target: number }[];
  readonly labels: readonly string[];
  /** Samples of noise. */
  readonly noise: number;
}

const { texts, said, voices, labels, noise } = JSON.parse(readFileSync(0, "utf8")) as Given;
const samples = whiteNoise(noise);
console.log(
  JSON.stringify({
    sentences: said.map(({ verdict, aspects }) => sentence(verdict, aspects, texts)),
    counterfactuals: voices.map(({ logits, shares, target }) => {
      const names = shares.map((_, player) => String(player));
      const rows = logits.map((row) => Float32Array.from(row));
      return counterfactual(rows, names, shares, labels, target);
    }),
    power: Array.from(powerOf(samples).data),
    fine: Array.from(finePowerOf(samples).data),
  }),
);
