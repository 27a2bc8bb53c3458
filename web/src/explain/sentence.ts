/** One sentence for people about an explanation, made from its figures by rules (edge/explain/sentence.py). */

import type { Texts } from "../hearing/manifest.ts";
import type { AspectEffects, Verdict } from "../hearing/verdict.ts";

const SMALLEST = 0.1; // log-odds
const SMALLEST_PART = 0.15; // of all shares' sizes together
const RESIDUALS = 10; // a reason is at least so many times what the shares miss
const MOSTLY = 0.5; // of all that speaks for it: from here on the first reason is the main one
const OBJECTION = 0.3; // of all that speaks for it: from here on what speaks against it is said
const REASONS = 2;

type Shares = Readonly<Record<string, number>>;

/** The phrases for a main reason, for reasons, for an objection and for several. */
type Phrases = readonly [string, string, string, string];

/** The sentence, without more claims than the figures hold. */
export function sentence(verdict: Verdict, aspects: AspectEffects | null, texts: Texts): string {
  const { emotion, label, explanation } = verdict;
  const heard = aspects ? ofAspects(aspects, texts) : [];
  const families: Phrases = [texts.MOSTLY, texts.BECAUSE, texts.ALTHOUGH, texts.ALTHOUGH_SEVERAL];
  const clauses = heard.length
    ? heard
    : reasons(explanation.families, explanation.residual, texts.FAMILIES, families, texts);
  const begin = format(emotion === label ? texts.SOUNDS : texts.UNCERTAIN, adjective(label, texts));
  const other = heard.length && aspects ? otherVerdict(aspects, texts) : "";
  return `${[begin, ...clauses].join(", ")}${other}.`;
}

/** A text with its `{}` filled in, one after another. */
export function format(text: string, ...values: readonly (string | number)[]): string {
  let at = 0;
  return text.replace(/\{\}/g, () => String(values[at++]));
}

/** The clauses about what people hear; none where nothing of that stands out, and the families say more. */
function ofAspects({ effects, residual }: AspectEffects, texts: Texts): string[] {
  const all = Object.entries(effects);
  const shares = Object.fromEntries(all.map(([name, { effect }]) => [name, effect]));
  const words = Object.fromEntries(all.map(([name, { words }]) => [name, words]));
  const phrases: Phrases = [texts.MOSTLY_SINCE, texts.SINCE, texts.DESPITE, texts.DESPITE];
  const clauses = reasons(shares, residual, words, phrases, texts);
  return clauses.includes(texts.NOTHING) ? [] : clauses;
}

/** What it would sound like with a few aspects as usual; empty where a few change nothing. */
function otherVerdict({ counterfactual }: AspectEffects, texts: Texts): string {
  if (!counterfactual || counterfactual.aspects.length > REASONS) return "";
  const names = counterfactual.aspects.map((name) => texts.ASPECT_NAMES[name] ?? name);
  return format(texts.COUNTERFACTUAL, joined(names, texts), adjective(counterfactual.label, texts));
}

/** The clauses that say what speaks for a verdict and what against it. */
function reasons(
  shares: Shares,
  residual: number,
  words: Readonly<Record<string, string>>,
  [mostly, because, although, severalAlthough]: Phrases,
  texts: Texts,
): string[] {
  const named = (names: readonly string[]): string =>
    joined(
      names.map((name) => words[name] ?? name),
      texts,
    );
  const sizes = Object.values(shares).reduce((sum, share) => sum + Math.abs(share), 0);
  const threshold = Math.max(SMALLEST, RESIDUALS * Math.abs(residual), SMALLEST_PART * sizes);
  const order = Object.keys(shares).sort((a, b) => shares[b] - shares[a]);
  const speaking = order.filter((name) => shares[name] >= threshold).slice(0, REASONS);
  const objecting = order
    .reverse()
    .filter((name) => shares[name] <= -threshold)
    .slice(0, REASONS);
  const total = Object.values(shares).reduce((sum, share) => sum + Math.max(share, 0), 0);
  const clauses: string[] = [];
  if (!speaking.length) clauses.push(texts.NOTHING);
  else if (shares[speaking[0]] >= MOSTLY * total) clauses.push(format(mostly, named(speaking.slice(0, 1))));
  else clauses.push(format(because, named(speaking)));
  const objections = objecting.filter((name) => -shares[name] >= OBJECTION * total);
  if (objections.length) clauses.push(format(objections.length === 1 ? although : severalAlthough, named(objections)));
  return clauses;
}

/** How somebody sounds of whom a label is said. */
function adjective(label: string, texts: Texts): string {
  return texts.EMOTIONS[label] ?? format(texts.OTHER_EMOTION, label);
}

function joined(words: readonly string[], texts: Texts): string {
  if (words.length === 1) return words[0];
  return format(texts.AND, words.slice(0, -1).join(", "), words[words.length - 1]);
}
