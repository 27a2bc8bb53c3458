/** What the chosen utterance sounds like: emotion, confidence, intensity. */

import type { Utterance } from "../hearing/verdict.ts";
import { hue } from "../palette.ts";
import { emotionName, texts } from "../texts.ts";
import { el } from "./dom.ts";

/** How sure, in words. */
export function sureness(utterance: Utterance): string {
  const { emotion, label, confidence } = utterance;
  return emotion === label ? texts.sure(confidence) : texts.atBest(emotionName(label), confidence);
}

/** Where the utterance is from, how loud, and how well its voice is known. */
function details(utterance: Utterance): string {
  const { began, start, end, source, snrDb, adaptedOn } = utterance;
  const when = began === null ? `${source}, ${texts.place(start, end)}` : new Date(began).toLocaleTimeString(texts.language, { hour12: false });
  return [when, `${utterance.seconds.toFixed(1)} s`, ...(snrDb === null ? [] : [texts.overNoise(snrDb)]), texts.adaptedOn(adaptedOn)].join(" · ");
}

export function verdictView(utterance: Utterance, labels: readonly string[]): HTMLElement {
  const dot = el("span", { class: "dot", "aria-hidden": "true" });
  dot.style.background = hue(utterance.emotion, labels);
  const parts: Node[] = [
    el("p", { class: "verdict" }, dot, el("strong", { class: "emotion" }, emotionName(utterance.emotion)), el("span", { class: "sure" }, sureness(utterance))),
  ];
  if (utterance.intensity !== null) {
    const share = el("span", {});
    share.style.width = `${100 * utterance.intensity}%`;
    const values = { "aria-valuemin": "0", "aria-valuemax": "1", "aria-valuenow": utterance.intensity.toFixed(2) };
    const meter = el("span", { class: "meter", role: "meter", "aria-label": texts.intensity(utterance.intensity), ...values }, share);
    parts.push(el("p", { class: "strength" }, meter, el("span", {}, texts.strength(utterance.intensity)), el("span", { class: "muted" }, texts.intensity(utterance.intensity))));
  }
  return el("div", {}, ...parts, el("p", { class: "muted" }, details(utterance)));
}
