/** The part of the settings that makes a sensor of the page; only the sensor's own page may connect to anything. */

import type { FromWorker } from "../hearing/messages.ts";
import type { Settings } from "../settings.ts";
import { texts } from "../texts.ts";
import { el } from "../view/dom.ts";

export interface NodePanel {
  readonly element: HTMLElement;
  /** What the worker says, for the broker. */
  take(message: FromWorker): void;
}

/** On the sensor's page the fields for the broker, elsewhere the way there. */
export function nodePanel(_settings: Settings, _change: (some: Partial<Settings>) => void): NodePanel {
  const element = el("section", {}, el("h3", {}, texts.node), el("p", { class: "muted small" }, texts.nodeHelp));
  element.append(el("p", { class: "small" }, `${texts.nodeElsewhere} `, el("a", { href: "node.html" }, texts.nodeOpen)));
  return { element, take: () => undefined };
}
