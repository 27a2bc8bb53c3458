/** What to hear: the microphone, ten seconds of it, or a file. One hand reaches all three. */

import { texts } from "../texts.ts";
import { el } from "./dom.ts";

export interface ControlActions {
  listen(): void;
  tenSeconds(): void;
  stop(): void;
  file(file: File): void;
}

/** `left`: whole seconds until the end, while ten are recorded. */
export type Mode = { readonly kind: "loading" } | { readonly kind: "idle" } | { readonly kind: "listening"; readonly left: number | null } | { readonly kind: "working" };

export class Controls {
  private readonly listen = el("button", { type: "button", class: "listen", click: () => this.pressed() });
  private readonly ten = el("button", { type: "button", click: () => this.actions.tenSeconds() }, texts.tenSeconds);
  private readonly chooser = el("input", { type: "file", accept: "audio/*,.wav,.mp3,.m4a,.ogg,.opus,.flac", hidden: true, change: () => this.picked() });
  private readonly file = el("button", { type: "button", click: () => this.chooser.click() }, texts.file);
  readonly element = el("nav", { class: "controls", "aria-label": texts.controls }, this.ten, this.listen, this.file, this.chooser);
  private mode: Mode = { kind: "loading" };

  constructor(private readonly actions: ControlActions) {
    this.show(this.mode);
  }

  show(mode: Mode): void {
    this.mode = mode;
    const listening = mode.kind === "listening";
    this.listen.disabled = mode.kind === "loading" || mode.kind === "working";
    this.ten.disabled = this.file.disabled = mode.kind !== "idle";
    this.listen.textContent = listening ? texts.stop : texts.listen;
    this.listen.classList.toggle("on", listening);
    this.ten.textContent = listening && mode.left !== null ? texts.left(mode.left) : texts.tenSeconds;
    this.ten.classList.toggle("counting", listening && mode.left !== null);
  }

  private pressed(): void {
    if (this.mode.kind === "listening") this.actions.stop();
    else this.actions.listen();
  }

  private picked(): void {
    const [file] = this.chooser.files ?? [];
    this.chooser.value = "";
    if (file) this.actions.file(file);
  }
}
