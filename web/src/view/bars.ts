/** Bars with their names and numbers, as a table that a screen reader can read. */

import { el } from "./dom.ts";

export interface Bar {
  readonly name: string;
  readonly value: number;
  readonly text: string;
  /** The bar's colour where it is not that of its sign. */
  readonly colour?: string;
}

/** Bars to the right of zero, and to the left of it where any is negative; `mark` draws a line at a value. */
export function bars(caption: string, all: readonly Bar[], mark: number | null = null): HTMLTableElement {
  const most = Math.max(...all.map(({ value }) => value), 0, mark ?? 0);
  const least = Math.min(...all.map(({ value }) => value), 0);
  const span = most - least || 1;
  const rows = all.map(({ name, value, text, colour }) => {
    const bar = el("span", { class: value < 0 ? "bar against" : "bar favour" });
    bar.style.left = `${(100 * (Math.min(value, 0) - least)) / span}%`;
    bar.style.width = `${(100 * Math.abs(value)) / span}%`;
    if (colour) bar.style.background = colour;
    const track = el("span", { class: "track", "aria-hidden": "true" }, bar);
    if (mark !== null) {
      const line = el("span", { class: "mark" });
      line.style.left = `${(100 * (mark - least)) / span}%`;
      track.append(line);
    }
    return el("tr", {}, el("th", { scope: "row" }, name), el("td", {}, track, el("span", { class: "number" }, text)));
  });
  return el("table", { class: "bars" }, el("caption", { class: "unseen" }, caption), el("tbody", {}, ...rows));
}

/** A number with its sign, as in the pictures of `affectd explain`. */
export function signed(value: number): string {
  return `${value < 0 ? "−" : "+"}${Math.abs(value).toFixed(2)}`;
}
