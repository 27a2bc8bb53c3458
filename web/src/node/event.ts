/** What is published about one utterance: the payload of edge/events/event.py. */

import type { AspectEffects, Utterance, Voice } from "../hearing/verdict.ts";

export const SCHEMA = 1;

/** Who makes the events: the node, this opening of its page, and its model. */
export interface Origin {
  readonly node: string;
  readonly boot: string;
  readonly model: string;
}

/**
 * Of an utterance from the microphone, the `seq`th of this opening, and of what is heard in its voice, where that was
 * ready in time. A page cannot know whether its clock is right.
 */
export function eventOf(
  utterance: Utterance,
  voice: Voice | null,
  origin: Origin,
  seq: number,
): Record<string, unknown> {
  const {
    emotion,
    confidence,
    intensity,
    probabilities,
    began,
    start,
    end,
    snrDb,
    bandwidthHz,
    explanation,
    adaptedOn,
  } = utterance;
  const begun = began ?? Date.now();
  return {
    schema: SCHEMA,
    id: `${origin.node}-${origin.boot}-${String(seq).padStart(6, "0")}`,
    node: origin.node,
    boot: origin.boot,
    seq,
    event_type: emotion,
    emotion,
    confidence: round(confidence, 4),
    ...(intensity === null ? {} : { intensity: round(intensity, 4) }),
    probabilities: rounded(probabilities),
    start: new Date(begun).toISOString(),
    end: new Date(begun + 1000 * (end - start)).toISOString(),
    duration_s: round(end - start, 3),
    snr_db: round(snrDb ?? 0, 1),
    bandwidth_hz: bandwidthHz,
    explanation: {
      method: explanation.method,
      target: explanation.target,
      families: rounded(explanation.families),
      base_value: round(explanation.base_value, 4),
      value: round(explanation.value, 4),
      residual: round(explanation.residual, 6) + 0,
      ...(voice?.aspects ? { aspects: rounded(effects(voice.aspects)) } : {}),
      ...(voice ? { sentence: voice.sentence } : {}),
    },
    adapted_on: adaptedOn,
    model: origin.model,
    clock: "unsynced",
    replayed: false,
  };
}

function effects({ effects }: AspectEffects): Record<string, number> {
  return Object.fromEntries(Object.entries(effects).map(([name, { effect }]) => [name, effect]));
}

function rounded(values: Readonly<Record<string, number>>): Record<string, number> {
  return Object.fromEntries(Object.entries(values).map(([name, value]) => [name, round(value, 4)]));
}

function round(value: number, digits: number): number {
  return Number(value.toFixed(digits));
}
