/** The part of the settings that makes a sensor of the page; only the sensor's own page may connect to anything. */

import type { About, FromWorker } from "../hearing/messages.ts";
import type { Settings } from "../settings.ts";
import { texts } from "../texts.ts";
import { el } from "../view/dom.ts";
import type { Broker, BrokerState } from "./broker.ts";

const NODE = /^[a-z0-9_-]{1,40}$/;

export interface NodePanel {
  readonly element: HTMLElement;
  /** What the worker says, for the broker. */
  take(message: FromWorker): void;
}

/** On the sensor's page the fields for the broker, elsewhere the way there. */
export function nodePanel(settings: Settings, change: (some: Partial<Settings>) => void): NodePanel {
  const about = [el("h3", {}, texts.node), el("p", { class: "muted small" }, texts.nodeHelp)];
  if (document.documentElement.dataset["page"] === "sensor") return new SensorPanel(settings, change, about);
  const way = el("p", { class: "small" }, `${texts.nodeElsewhere} `, el("a", { href: "node.html" }, texts.nodeOpen));
  return { element: el("section", {}, ...about, way), take: () => undefined };
}

class SensorPanel implements NodePanel {
  private readonly url: HTMLInputElement;
  private readonly node: HTMLInputElement;
  private readonly user: HTMLInputElement;
  private readonly password = el("input", { id: "password", type: "password", autocomplete: "off" });
  private readonly button = el("button", { class: "quiet" }, texts.connect);
  private readonly state = el("p", { class: "small broker", role: "status" }, texts.disconnected);
  readonly element: HTMLElement;
  private about: About | null = null;
  private broker: Broker | null = null;

  constructor(
    settings: Settings,
    private readonly change: (some: Partial<Settings>) => void,
    introduction: readonly Node[],
  ) {
    this.url = el("input", { id: "broker", type: "url", value: settings.broker, placeholder: texts.brokerHelp });
    this.node = el("input", { id: "node", value: settings.node, autocapitalize: "none" });
    this.user = el("input", { id: "user", value: settings.user, autocomplete: "off", autocapitalize: "none" });
    const fields = [
      [texts.broker, this.url],
      [texts.nodeName, this.node],
      [texts.user, this.user],
      [texts.password, this.password],
    ] as const;
    const rows = fields.map(([name, input]) => el("p", { class: "field" }, el("label", { for: input.id }, name), input));
    const form = el("form", { novalidate: true, submit: (event) => this.submitted(event) }, ...rows, this.button);
    this.element = el("section", {}, ...introduction, form, this.state);
  }

  take(message: FromWorker): void {
    if (message.kind === "ready") this.about = message.about;
    this.broker?.take(message);
  }

  /** The form goes nowhere: its button connects and disconnects. */
  private submitted(event: Event): void {
    event.preventDefault();
    void this.pressed();
  }

  private async pressed(): Promise<void> {
    if (this.broker) {
      const { broker } = this;
      this.broker = null;
      this.show(texts.disconnected);
      await broker.close();
      return;
    }
    const [url, node, user] = [this.url, this.node, this.user].map((input) => input.value.trim());
    const wrong = problem(url, node);
    if (wrong || !this.about) return this.show(wrong ?? texts.disconnected);
    this.change({ broker: url, node, user });
    this.show(texts.connecting);
    const { Broker } = await import("./broker.ts");
    const broker = new Broker({ url, node, user, password: this.password.value }, this.about, (state) => this.broker === broker && this.follow(state));
    this.broker = broker;
    this.button.textContent = texts.disconnect;
  }

  private follow(state: BrokerState): void {
    this.show(state.kind === "connected" ? texts.connected(state.topic) : texts.brokerLost(state.reason));
  }

  private show(sentence: string): void {
    this.state.textContent = sentence;
    this.button.textContent = this.broker ? texts.disconnect : texts.connect;
  }
}

/** What is wrong with an address or a node's name, in one sentence. */
function problem(url: string, node: string): string | null {
  if (!/^wss?:\/\/[^/]/.test(url)) return texts.badBroker;
  if (location.protocol === "https:" && url.startsWith("ws:")) return texts.insecureBroker;
  return NODE.test(node) ? null : texts.badNode;
}
