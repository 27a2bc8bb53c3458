/** The session as a row of bars in order of time: one for each utterance, as high as it is sure. */

import type { Utterance } from "../hearing/verdict.ts";
import { hue } from "../palette.ts";
import { emotionName, texts } from "../texts.ts";
import { el } from "./dom.ts";
import { sureness } from "./verdict.ts";

const SHOWN = 120; // bars: the newest

/** Bars to choose an utterance by, with the pointer or the arrow keys. */
export class Timeline {
  readonly element = el("ol", { class: "timeline", "aria-label": texts.timeline, keydown: (event) => this.key(event as KeyboardEvent) });
  private chosen: number | null = null;

  constructor(
    private readonly labels: readonly string[],
    private readonly onChoose: (id: number) => void,
  ) {}

  add(utterance: Utterance): void {
    const { id, emotion, began, start, confidence } = utterance;
    const time = began === null ? texts.place(start, utterance.end) : clock(began);
    const name = `${time}: ${texts.announced(emotionName(emotion), sureness(utterance))}`;
    const bar = el("span", { class: "share" });
    bar.style.height = `${Math.round(100 * confidence)}%`;
    bar.style.background = hue(emotion, this.labels);
    const label = el("span", { class: "time muted", "aria-hidden": "true" }, began === null ? `${start.toFixed(0)} s` : clock(began).slice(0, 5));
    const button = el("button", { type: "button", "data-id": String(id), "aria-label": name, title: name, tabindex: "-1", click: () => this.onChoose(id) }, bar);
    this.element.append(el("li", {}, button, label));
    while (this.element.children.length > SHOWN) this.element.firstElementChild?.remove();
    this.thinLabels();
  }

  /** Marks the utterance that is shown, and brings it into sight. */
  choose(id: number): void {
    this.chosen = id;
    for (const button of this.buttons()) {
      const chosen = button.dataset["id"] === String(id);
      button.setAttribute("aria-current", String(chosen));
      button.tabIndex = chosen ? 0 : -1;
      if (chosen) this.element.scrollLeft = button.offsetLeft - this.element.clientWidth / 2;
    }
  }

  clear(): void {
    this.element.replaceChildren();
  }

  /** A time is written only where it differs from the one before. */
  private thinLabels(): void {
    const labels = Array.from(this.element.querySelectorAll<HTMLElement>(".time"));
    labels.forEach((label, index) => label.classList.toggle("same", index > 0 && labels[index - 1].textContent === label.textContent));
  }

  private buttons(): HTMLButtonElement[] {
    return Array.from(this.element.querySelectorAll("button"));
  }

  private key(event: KeyboardEvent): void {
    const step = { ArrowLeft: -1, ArrowRight: 1, Home: -Infinity, End: Infinity }[event.key];
    if (!step) return;
    event.preventDefault();
    const buttons = this.buttons();
    const at = buttons.findIndex((button) => button.dataset["id"] === String(this.chosen));
    const next = buttons[Math.min(Math.max(at + step, 0), buttons.length - 1)];
    next?.click();
    next?.focus();
  }
}

function clock(milliseconds: number): string {
  return new Date(milliseconds).toLocaleTimeString(texts.language, { hour12: false });
}
