/** The session: what was heard since the page was opened, in memory alone, and as the files that `affectd` writes. */

import type { Closer, Outline, Utterance, Voice } from "./hearing/verdict.ts";

const MOST = 5000; // utterances: a day's
const MOST_OUTLINES = 40; // of the newest, 15 kB each
const NOTHING: Outline = { extremes: new Float32Array(2), levels: new Uint8Array(0), columns: 0, rows: 0 };

export class History {
  private all: Utterance[] = [];
  private readonly closers = new Map<number, Closer>();
  private readonly voices = new Map<number, Voice>();

  /** Oldest first. */
  get utterances(): readonly Utterance[] {
    return this.all;
  }

  add(utterance: Utterance): void {
    this.all.push(utterance);
    const old = this.all.length - 1 - MOST_OUTLINES;
    if (old >= 0) {
      this.all[old] = { ...this.all[old], outline: NOTHING };
      this.closers.delete(this.all[old].id);
    }
    if (this.all.length > MOST) this.voices.delete(this.all.shift()?.id ?? 0);
  }

  /** Keeps what a closer look has found, as long as there is a picture to it. */
  keep(id: number, closer: Closer): void {
    this.closers.set(id, closer);
  }

  closer(id: number): Closer | null {
    return this.closers.get(id) ?? null;
  }

  /** Keeps what is heard in the voice of an utterance that is still there. */
  keepVoice(id: number, voice: Voice): void {
    if (this.all.some((utterance) => utterance.id === id)) this.voices.set(id, voice);
  }

  voice(id: number): Voice | null {
    return this.voices.get(id) ?? null;
  }

  clear(): void {
    this.all = [];
    this.voices.clear();
    this.closers.clear();
  }
}

/** One JSON object a line, as `affectd analyse` prints it; `began` is when it was said, where a microphone heard it. */
export function toJson(history: History): string {
  return history.utterances.map((utterance) => `${JSON.stringify(explained(utterance, history))}\n`).join("");
}

/** With what is heard in the voice, where that is known. */
function explained(utterance: Utterance, history: History) {
  const found = finding(utterance);
  const voice = history.voice(utterance.id);
  if (!voice) return found;
  const { aspects, unheard, sentence } = voice;
  const more = aspects ? { aspects } : unheard ? { unheard } : {};
  return { ...found, explanation: { ...found.explanation, ...more }, sentence };
}

/** A table (RFC 4180) with the columns of the app's. */
export function toCsv(utterances: readonly Utterance[]): string {
  const rows = utterances.map((utterance) => {
    const { probabilities, explanation, ...rest } = finding(utterance);
    const named = (prefix: string, values: Readonly<Record<string, number>>): [string, number][] =>
      Object.entries(values).map(([name, value]) => [prefix + name, value]);
    return {
      ...rest,
      ...Object.fromEntries([...named("p_", probabilities), ...named("lmac_", explanation.families)]),
    } as Record<string, unknown>;
  });
  const columns = [...new Set(rows.flatMap((row) => Object.keys(row)))];
  return [columns, ...rows.map((row) => columns.map((name) => row[name] ?? ""))]
    .map((cells) => `${cells.map(cell).join(",")}\r\n`)
    .join("");
}

function finding(utterance: Utterance) {
  const { source, start, end, began, emotion, confidence, intensity, probabilities, explanation, snrDb, adaptedOn } =
    utterance;
  return {
    file: source,
    start_s: round(start, 3),
    end_s: round(end, 3),
    ...(began === null ? {} : { began: new Date(began).toISOString() }),
    emotion,
    confidence,
    ...(intensity === null ? {} : { intensity: round(intensity, 4) }),
    probabilities,
    explanation,
    ...(snrDb === null ? {} : { snr_db: round(snrDb, 1) }),
    adapted_on: adaptedOn,
  };
}

function round(value: number, digits: number): number {
  return Number(value.toFixed(digits));
}

/** A cell, quoted where it must be; no file name becomes a formula in a spreadsheet (CWE-1236). */
function cell(value: unknown): string {
  const text = typeof value === "string" && /^[=+\-@\t\r]/.test(value) ? `'${value}` : String(value);
  return /[",\r\n]/.test(text) ? `"${text.replaceAll('"', '""')}"` : text;
}
