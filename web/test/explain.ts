/** Rules of explanations as a program, for the tests: JSON on stdin, what they make of it on stdout. */

import { readFileSync } from "node:fs";
import { counterfactual, unheard } from "../src/explain/byaspects.ts";
import { finePowerOf, powerOf, whiteNoise } from "../src/explain/noise.ts";
import { sentence } from "../src/explain/sentence.ts";
import type { Manifest, Texts } from "../src/hearing/manifest.ts";
import type { AspectEffects, Verdict } from "../src/hearing/verdict.ts";

interface Given {
  readonly texts: Texts;
  readonly said: readonly { readonly verdict: Verdict; readonly aspects: AspectEffects | null }[];
  readonly voices: readonly { readonly logits: number[][]; readonly shares: number[]; readonly target: number }[];
  readonly labels: readonly string[];
  /** Utterances of so many frames, before models of these families. */
  readonly heard: readonly { readonly time: number; readonly families: readonly string[] }[];
  /** Samples of noise. */
  readonly noise: number;
}

const { texts, said, voices, labels, heard, noise } = JSON.parse(readFileSync(0, "utf8")) as Given;
const samples = whiteNoise(noise);
console.log(
  JSON.stringify({
    sentences: said.map(({ verdict, aspects }) => sentence(verdict, aspects, texts)),
    counterfactuals: voices.map(({ logits, shares, target }) => {
      const names = shares.map((_, player) => String(player));
      const rows = logits.map((row) => Float32Array.from(row));
      return counterfactual(rows, names, shares, labels, target);
    }),
    unheard: heard.map(({ time, families }) => {
      const manifest = {
        families: families.map((name) => ({ name, start: 0, stop: 1 })),
        frame_rate: 62.5,
        bundle: { name: "mine" },
        texts,
      };
      const raw = { data: new Float32Array(0), time, width: 0 };
      return unheard({ raw }, manifest as unknown as Manifest);
    }),
    power: Array.from(powerOf(samples).data),
    fine: Array.from(finePowerOf(samples).data),
  }),
);
