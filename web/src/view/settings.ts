/** The dialog with what can be chosen. */

import type { Settings } from "../settings.ts";
import { texts } from "../texts.ts";
import { el } from "./dom.ts";

export interface SettingsActions {
  change(settings: Settings): void;
  forget(): void;
}

export class SettingsView {
  private readonly adapt = toggle(texts.adapt, texts.adaptHelp, () => this.set({ adapt: this.adapt.input.checked }));
  private readonly whole = toggle(texts.whole, texts.wholeHelp, () => this.set({ whole: this.whole.input.checked }));
  private readonly voices = toggle(texts.voices, texts.voicesHelp, () =>
    this.set({ voices: this.voices.input.checked }),
  );
  private readonly about = el("p", { class: "muted small" });
  private readonly theme = el("select", {
    id: "theme",
    change: () => this.set({ theme: this.theme.value as Settings["theme"] }),
  });
  readonly element: HTMLDialogElement;

  constructor(
    private settings: Settings,
    private readonly actions: SettingsActions,
    node: Node,
  ) {
    this.adapt.input.checked = settings.adapt;
    this.whole.input.checked = settings.whole;
    this.voices.input.checked = settings.voices;
    this.theme.append(...Object.entries(texts.themes).map(([value, name]) => el("option", { value }, name)));
    this.theme.value = settings.theme;
    this.element = el(
      "dialog",
      { "aria-labelledby": "settings-title" },
      el("h2", { id: "settings-title" }, texts.settings),
      this.adapt.element,
      el("button", { type: "button", class: "quiet", click: () => this.actions.forget() }, texts.forget),
      this.whole.element,
      this.voices.element,
      el("p", { class: "field" }, el("label", { for: "theme" }, texts.theme), this.theme),
      node,
      this.about,
      el("p", { class: "small" }, el("a", { href: "licences.txt" }, texts.licences)),
      el("button", { type: "button", class: "primary", click: () => this.element.close() }, texts.close),
    );
  }

  /** Which model this is. */
  describe(text: string): void {
    this.about.textContent = text;
  }

  /** Changes some of the settings. */
  set(some: Partial<Settings>): void {
    this.settings = { ...this.settings, ...some };
    this.actions.change(this.settings);
  }
}

function toggle(name: string, help: string, change: () => void): { element: HTMLElement; input: HTMLInputElement } {
  const input = el("input", { type: "checkbox", change });
  return {
    input,
    element: el("label", { class: "toggle" }, input, el("span", {}, name, el("span", { class: "muted small" }, help))),
  };
}
