/** The sensor's connection to a broker: live topics alone, since a page has no journal. */

import mqtt, { type IClientPublishOptions, type MqttClient } from "mqtt";
import type { About, FromWorker } from "../hearing/messages.ts";
import type { Utterance, Voice } from "../hearing/verdict.ts";
import { eventOf, type Origin, SCHEMA } from "./event.ts";
import { Presence } from "./presence.ts";

const RETRY_MS = 5_000;
const KEEPALIVE_S = 30;
const EVENT_EXPIRY_S = 60;
const TICK_MS = 1_000;
const VOICE_MS = 1_000; // so long an event waits for what is heard in the voice, and no longer

/** An utterance that is not published yet; `ready` once its voice is known, or has been waited for. */
interface Waiting {
  readonly utterance: Utterance;
  voice: Voice | null;
  ready: boolean;
}

export interface BrokerSettings {
  readonly url: string;
  readonly node: string;
  readonly user: string;
  readonly password: string;
}

export type BrokerState =
  { readonly kind: "connected"; readonly topic: string } | { readonly kind: "lost"; readonly reason: string };

/** One connection, tried again for ever until `close`. What is heard while there is none is not published later. */
export class Broker {
  private readonly client: MqttClient;
  private readonly presence = new Presence((topic, payload) => this.send(topic, payload));
  private readonly root: string;
  private readonly origin: Origin;
  private readonly clock: number;
  /** In the order in which they were said, as events are published. */
  private readonly waiting: Waiting[] = [];
  private seq = 0;

  constructor(
    { url, node, user, password }: BrokerSettings,
    private readonly about: About,
    onState: (state: BrokerState) => void,
  ) {
    this.root = `affectd/${node}`;
    this.origin = { node, boot: crypto.randomUUID().slice(0, 4), model: about.digest };
    this.client = mqtt.connect(url, {
      ...(user ? { username: user, password } : {}),
      clientId: `affectd-${node}`,
      protocolVersion: 5,
      keepalive: KEEPALIVE_S,
      reconnectPeriod: RETRY_MS,
      timerVariant: "native",
      queueQoSZero: false,
      will: {
        topic: `${this.root}/status`,
        payload: new TextEncoder().encode("offline") as Buffer,
        qos: 1,
        retain: true,
      },
    });
    this.client.on("connect", () => {
      this.greet();
      onState({ kind: "connected", topic: this.root });
    });
    this.client.on("error", (error) => onState({ kind: "lost", reason: error.message }));
    this.client.on("close", () => onState({ kind: "lost", reason: "no connection" }));
    this.clock = window.setInterval(() => this.presence.tick(performance.now()), TICK_MS);
  }

  /** What the worker says. */
  take(message: FromWorker): void {
    if (message.kind === "sound") this.presence.sound(performance.now());
    if (message.kind === "speaking") this.presence.speech(message.on);
    if (message.kind === "finished" || message.kind === "deaf") this.presence.closed();
    if (message.kind === "voice") this.heardVoice(message.id, message.voice);
    if (message.kind !== "heard" || message.utterance.began === null) return;
    const { id } = message.utterance;
    this.waiting.push({ utterance: message.utterance, voice: null, ready: false });
    window.setTimeout(() => this.heardVoice(id, null), VOICE_MS);
  }

  /** Says goodbye and ends. */
  async close(): Promise<void> {
    window.clearInterval(this.clock);
    for (const each of this.waiting) each.ready = true;
    this.publish();
    if (this.client.connected)
      await this.client.publishAsync(`${this.root}/status`, "offline", { qos: 1, retain: true });
    await this.client.endAsync(!this.client.connected);
  }

  private heardVoice(id: number, voice: Voice | null): void {
    const found = this.waiting.find(({ utterance }) => utterance.id === id);
    if (!found) return;
    found.voice ??= voice;
    found.ready = true;
    this.publish();
  }

  /** The events that nothing in front of them waits for any more. */
  private publish(): void {
    while (this.waiting[0]?.ready) {
      const { utterance, voice } = this.waiting.shift()!;
      const event = eventOf(utterance, voice, this.origin, (this.seq += 1));
      const properties = {
        messageExpiryInterval: EVENT_EXPIRY_S,
        userProperties: { id: String(event["id"]), schema: String(SCHEMA) },
      };
      this.send("event", JSON.stringify(event), { retain: false, properties });
      this.presence.emotion(utterance.emotion, performance.now());
    }
  }

  /** All that is retained, `status` last. */
  private greet(): void {
    const { version, bundle, digest, labels } = this.about;
    this.send(
      "info",
      JSON.stringify({
        schema: SCHEMA,
        version,
        node: this.origin.node,
        boot: this.origin.boot,
        bundle,
        model: digest,
        labels,
      }),
    );
    for (const [topic, payload] of Object.entries(this.presence.values)) this.send(topic, payload);
    this.send("status", "online");
  }

  private send(topic: string, payload: string, options: IClientPublishOptions = { retain: true }): void {
    if (this.client.connected) this.client.publish(`${this.root}/${topic}`, payload, { qos: 1, ...options });
  }
}
