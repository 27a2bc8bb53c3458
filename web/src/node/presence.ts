/** `state`, `speech` and `microphone` as subscribers should see them: a state machine with deadlines (edge/mqtt/retained.py). */

export const HOLD_MS = 20_000; // that an emotion is kept for
export const STALL_MS = 5_000; // without sound, after which nobody speaks and the microphone is offline

type Topic = "microphone" | "speech" | "state";

/** Calls `publish` with each value that changes; times in milliseconds of any clock. */
export class Presence {
  private readonly now: Record<Topic, string> = { microphone: "offline", speech: "OFF", state: "none" };
  private stateUntil = Infinity;
  private soundUntil = Infinity;

  constructor(private readonly publish: (topic: Topic, payload: string) => void) {}

  /** The current payload of each topic. */
  get values(): Readonly<Record<Topic, string>> {
    return this.now;
  }

  /** Sound has come. */
  sound(time: number): void {
    this.soundUntil = time + STALL_MS;
    this.set("microphone", "online");
  }

  speech(on: boolean): void {
    this.set("speech", on ? "ON" : "OFF");
  }

  emotion(emotion: string, time: number): void {
    this.stateUntil = time + HOLD_MS;
    this.set("state", emotion);
  }

  /** The microphone is closed: nobody is heard. */
  closed(): void {
    this.soundUntil = Infinity;
    this.set("microphone", "offline");
    this.speech(false);
    this.nothing();
  }

  /** What has run out. */
  tick(time: number): void {
    if (time >= this.soundUntil) this.closed();
    else if (time >= this.stateUntil) this.nothing();
  }

  private nothing(): void {
    this.stateUntil = Infinity;
    this.set("state", "none");
  }

  private set(topic: Topic, payload: string): void {
    if (this.now[topic] === payload) return;
    this.now[topic] = payload;
    this.publish(topic, payload);
  }
}
