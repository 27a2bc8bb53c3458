/** One sentence to the person: a problem that stays until the next action, or what goes on. */

import { el } from "./dom.ts";

export class Notice {
  private readonly problem = el("p", { class: "problem", role: "alert", hidden: true });
  private readonly status = el("p", { class: "status muted", role: "status" });
  readonly element = el("div", { class: "notice" }, this.problem, this.status);

  /** What is wrong and what to do; null takes it back. */
  warn(sentence: string | null): void {
    this.problem.textContent = sentence ?? "";
    this.problem.hidden = sentence === null;
  }

  /** What goes on. */
  say(sentence: string): void {
    if (this.status.textContent !== sentence) this.status.textContent = sentence;
  }
}
