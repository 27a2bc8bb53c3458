/** Keeps the screen on while the page listens: a phone that sleeps hears nothing. */

let lock: WakeLockSentinel | null = null;
let wanted = false;

/** Says whether the screen should stay on; where the browser refuses, it may go dark. */
export async function keepAwake(on: boolean): Promise<void> {
  wanted = on;
  if (!on) {
    await lock?.release();
    lock = null;
  } else if ("wakeLock" in navigator && !document.hidden) {
    lock = await navigator.wakeLock.request("screen").catch(() => null);
  }
}

document.addEventListener("visibilitychange", () => void (wanted && !document.hidden && keepAwake(true)));
