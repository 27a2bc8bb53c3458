/** Why: the families, the moments, and on demand the single features. */

import type { Closer, Utterance } from "../hearing/verdict.ts";
import { hue } from "../palette.ts";
import { emotionName, familyName, texts } from "../texts.ts";
import { bars, signed } from "./bars.ts";
import { el } from "./dom.ts";

/** The families' shares, and what they add up to. */
export function familiesView({ explanation }: Utterance): HTMLElement {
  const all = Object.entries(explanation.families).map(([name, value]) => ({
    name: familyName(name),
    value,
    text: signed(value),
  }));
  return el(
    "section",
    {},
    el("h3", {}, texts.given),
    bars(texts.given, all),
    el("p", { class: "muted small" }, texts.total(signed(explanation.base_value), signed(explanation.value))),
  );
}

/** Every label's probability, the likeliest first. */
export function probabilitiesView(
  { probabilities }: Utterance,
  labels: readonly string[],
  threshold: number,
): HTMLElement {
  const all = Object.entries(probabilities)
    .sort(([, a], [, b]) => b - a)
    .map(([label, share]) => ({
      name: emotionName(label),
      value: share,
      text: `${Math.round(100 * share)} %`,
      colour: hue(label, labels),
    }));
  return el(
    "div",
    {},
    el("p", { class: "muted" }, texts.threshold(threshold)),
    bars(texts.probabilities, all, threshold),
  );
}

/** The single features of a closer look. */
export function featuresView({ features }: Closer): HTMLElement {
  const all = features.map(({ name, effect }) => ({
    name: name === null ? texts.others : familyName(name),
    value: effect,
    text: signed(effect),
  }));
  return el(
    "section",
    {},
    el("h3", {}, texts.features),
    el("p", { class: "muted" }, texts.featuresBelow),
    bars(texts.features, all),
  );
}
