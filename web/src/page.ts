/** The page's parts and where they stand. */

import type { About } from "./hearing/messages.ts";
import type { Utterance } from "./hearing/verdict.ts";
import type { History } from "./history.ts";
import { emotionName, texts } from "./texts.ts";
import { el } from "./view/dom.ts";
import { LiveView } from "./view/live.ts";
import { momentsView } from "./view/moments.ts";
import { Timeline } from "./view/timeline.ts";
import { sureness, verdictView } from "./view/verdict.ts";
import { voiceView } from "./view/voice.ts";
import { familiesView, featuresView, probabilitiesView } from "./view/why.ts";

export interface PageActions {
  closer(id: number): void;
  exportJson(): void;
  exportCsv(): void;
  share(utterance: Utterance): void;
  clear(): void;
}

/** Shows what is heard; knows nothing of how. */
export class Page {
  readonly live = new LiveView();
  private readonly liveCard = el(
    "section",
    { class: "card", "aria-label": texts.live, hidden: true },
    this.live.element,
  );
  private readonly verdict = el(
    "section",
    { class: "card", "aria-labelledby": "headline" },
    el("p", { class: "muted" }, texts.promise),
    el("p", { class: "muted" }, texts.hint),
  );
  private readonly when = card("when", texts.when);
  private readonly why = card("why", texts.why);
  private readonly sentence = el("p", { class: "sentence" });
  private readonly voice = el("div");
  private readonly probable = card("probable", texts.probabilities);
  private readonly announcer = el("p", { class: "unseen", "aria-live": "polite" });
  private readonly count = el("span", { class: "muted" }, texts.empty);
  private readonly session = el("section", { class: "card session", "aria-labelledby": "session" });
  private timeline: Timeline | null = null;
  private about: About | null = null;
  private shown: Utterance | null = null;
  private looking: number | null = null;
  readonly element: HTMLElement;

  constructor(
    private readonly history: History,
    private readonly actions: PageActions,
  ) {
    const left = el("div", { class: "column" }, this.verdict, this.liveCard, this.when, this.session);
    const right = el("div", { class: "column" }, this.why, this.probable);
    this.element = el("div", { class: "columns" }, left, right, this.announcer);
  }

  /** The model is there. */
  ready(about: About): void {
    this.about = about;
    this.timeline = new Timeline(about.labels, (id) => this.choose(id));
    const buttons = [
      el("button", { type: "button", class: "quiet", click: () => this.actions.exportJson() }, texts.exportJson),
      el("button", { type: "button", class: "quiet", click: () => this.actions.exportCsv() }, texts.exportCsv),
      el(
        "button",
        { type: "button", class: "quiet", click: () => this.shown && this.actions.share(this.shown) },
        texts.share,
      ),
      el("button", { type: "button", class: "quiet", click: () => this.actions.clear() }, texts.clear),
    ];
    const tools = el("p", { class: "tools" }, ...buttons);
    this.session.replaceChildren(el("h2", { id: "session" }, texts.session), this.count, this.timeline.element, tools);
    this.counted();
  }

  /** Whether sound comes in. */
  listening(on: boolean): void {
    this.liveCard.hidden = !on;
    if (on) this.live.clear();
  }

  /** A new utterance, which is shown at once. */
  add(utterance: Utterance): void {
    this.history.add(utterance);
    this.timeline?.add(utterance);
    this.counted();
    this.show(utterance);
    this.announcer.textContent = texts.announced(emotionName(utterance.emotion), sureness(utterance));
  }

  /** What a closer look has found; null: it came too late. */
  closer(id: number): void {
    this.looking = null;
    if (this.shown?.id === id) this.show(this.shown);
  }

  /** What is heard in the voice of an utterance has become known. */
  heardVoice(id: number): void {
    if (this.shown?.id === id) this.showVoice(this.shown);
  }

  clear(): void {
    this.timeline?.clear();
    this.shown = null;
    for (const part of [this.when, this.why, this.probable]) part.hidden = true;
    this.verdict.replaceChildren(el("p", { class: "muted" }, texts.promise), el("p", { class: "muted" }, texts.hint));
    this.counted();
  }

  private counted(): void {
    const count = this.history.utterances.length;
    this.count.textContent = count ? texts.count(count) : texts.empty;
    this.session.classList.toggle("empty", count === 0);
  }

  private choose(id: number): void {
    const found = this.history.utterances.find((utterance) => utterance.id === id);
    if (found) this.show(found);
  }

  private show(utterance: Utterance): void {
    if (!this.about) return;
    const { labels, threshold } = this.about;
    this.shown = utterance;
    const closer = this.history.closer(utterance.id);
    this.verdict.replaceChildren(verdictView(utterance, labels), this.sentence);
    fill(this.when, texts.when, utterance.outline.columns ? [momentsView(utterance, closer)] : []);
    fill(this.why, texts.why, [
      el("p", { class: "muted" }, texts.whyBelow(emotionName(utterance.label))),
      this.voice,
      familiesView(utterance),
      closer ? featuresView(closer) : this.look(utterance),
    ]);
    this.showVoice(utterance);
    fill(this.probable, texts.probabilities, [probabilitiesView(utterance, labels, threshold)]);
    this.timeline?.choose(utterance.id);
  }

  private showVoice(utterance: Utterance): void {
    if (!this.about) return;
    const voice = this.history.voice(utterance.id);
    this.sentence.textContent = voice?.sentence ?? texts.voiceWorking;
    this.sentence.classList.toggle("muted", !voice);
    this.voice.replaceChildren(...(voice ? voiceView(utterance, voice, this.about.texts) : []));
  }

  private look(utterance: Utterance): HTMLElement {
    const button = el(
      "button",
      { type: "button", class: "quiet" },
      this.looking === utterance.id ? texts.closerWorking : texts.closer,
    );
    button.disabled = this.looking === utterance.id;
    button.addEventListener("click", () => {
      this.looking = utterance.id;
      button.textContent = texts.closerWorking;
      button.disabled = true;
      this.actions.closer(utterance.id);
    });
    return el("p", {}, button);
  }
}

function card(id: string, title: string): HTMLElement {
  return el("section", { class: "card", "aria-labelledby": id, hidden: true }, el("h2", { id }, title));
}

function fill(part: HTMLElement, title: string, content: readonly Node[]): void {
  part.hidden = content.length === 0;
  part.replaceChildren(el("h2", { id: part.getAttribute("aria-labelledby") ?? "" }, title), ...content);
}
