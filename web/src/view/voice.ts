/** What people hear in a voice, and what each aspect of it adds to the verdict. */

import type { Texts } from "../hearing/manifest.ts";
import type { AspectEffects, Utterance, Voice } from "../hearing/verdict.ts";
import { emotionName, texts } from "../texts.ts";
import { bars, signed } from "./bars.ts";
import { el } from "./dom.ts";

/** What each aspect of a voice adds, or why it has none; `words` are those of the aspects. */
export function voiceView(utterance: Utterance, { aspects, unheard }: Voice, words: Texts): Node[] {
  if (aspects) return [el("h3", {}, texts.voice), ...aspectsView(aspects, utterance.label, words)];
  return unheard ? [el("p", { class: "muted" }, unheard)] : [];
}

function aspectsView(aspects: AspectEffects, label: string, words: Texts): Node[] {
  const name = (aspect: string): string => words.ASPECT_NAMES[aspect] ?? aspect;
  const all = Object.entries(aspects.effects);
  const moved = all.filter(([, { words: heard }]) => heard !== words.AS_USUAL);
  const usual = all.filter(([, { words: heard }]) => heard === words.AS_USUAL);
  const notes = Object.entries(aspects.absent).map(([aspect, reason]) => `${name(aspect)}: ${reason}`);
  if (usual.length) notes.push(texts.asUsual(usual.map(([aspect]) => name(aspect)).join(", ")));
  const other = aspects.counterfactual;
  if (other) notes.push(texts.otherVerdict(other.aspects.map(name).join(", "), emotionName(other.label)));
  if (!moved.length) notes.push(texts.nothingUnusual(emotionName(label)));
  const chart = bars(
    texts.voice,
    moved.map(([, { words: heard, effect }]) => ({ name: heard, value: effect, text: signed(effect) })),
  );
  return [
    ...(moved.length ? [chart] : []),
    ...notes.map((note) => el("p", { class: "muted" }, `${note[0].toUpperCase()}${note.slice(1)}.`)),
    el("details", {}, el("summary", {}, texts.figures), figures(aspects, name)),
  ];
}

function figures({ effects }: AspectEffects, name: (aspect: string) => string): HTMLTableElement {
  const heading = (text: string): HTMLElement => el("th", { scope: "col" }, text);
  const rows = Object.entries(effects).map(([aspect, { own, usual, unit }]) =>
    el(
      "tr",
      {},
      el("th", { scope: "row" }, name(aspect)),
      el("td", {}, number(own)),
      el("td", {}, number(usual)),
      el("td", {}, unit),
    ),
  );
  return el(
    "table",
    { class: "figures" },
    el("caption", { class: "unseen" }, texts.figures),
    el("thead", {}, el("tr", {}, ...texts.figuresOf.map(heading))),
    el("tbody", {}, ...rows),
  );
}

function number(value: number): string {
  return value.toFixed(2).replace("-", "−");
}
