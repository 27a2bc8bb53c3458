/**
 * Every text that a person reads, in English, but for the sentences about a voice, which are in edge/explain/texts.py. To
 * translate the page, translate both.
 */

const seconds = (count: number): string => `${count.toFixed(count < 10 ? 1 : 0)} s`;
const percent = (share: number): string => `${Math.round(100 * share)} %`;

export const texts = {
  language: "en",
  name: "affectd",
  title: "affectd: how does it sound?",
  description: "Hears how people sound, in the browser: no audio leaves this device.",
  noScript: "This page computes everything on your device and needs JavaScript for that: switch it on.",
  outdated: "If this stays here, the browser is too old for this page: use one of 2023 or later.",

  headline: "How does it sound?",
  promise: "Everything is computed on this device. No sound leaves it, none is kept.",
  hint: "An emotion heard in a voice is a hint, never a fact about a person.",
  loading: (share: number): string => `Loading, ${percent(share)}`,
  ready: "Ready",

  listen: "Listen",
  stop: "Stop",
  tenSeconds: "10 seconds",
  left: (count: number): string => `${count} s left`,
  file: "File",
  controls: "What to hear",
  working: "Hearing the file …",

  quiet: "Listening. Nobody speaks.",
  speaking: "Somebody speaks.",
  live: "Live",
  liveSound: "Waveform and spectrogram of the last ten seconds",

  emotions: {
    anger: "anger",
    disgust: "disgust",
    fear: "fear",
    happy: "happy",
    neutral: "neutral",
    sad: "sad",
    surprise: "surprise",
    uncertain: "uncertain",
  } as Readonly<Record<string, string>>,
  sure: (confidence: number): string => `${percent(confidence)} sure`,
  atBest: (label: string, confidence: number): string => `at best ${label}, ${percent(confidence)}`,
  strength: (intensity: number): string =>
    intensity < 0.35 ? "calmly expressed" : intensity < 0.65 ? "clearly expressed" : "strongly expressed",
  intensity: (intensity: number): string => `intensity ${percent(intensity)}`,
  place: (start: number, end: number): string => `${start.toFixed(2)} to ${end.toFixed(2)} s`,
  overNoise: (decibels: number): string => `${Math.round(decibels)} dB over the noise`,
  adaptedOn: (count: number): string =>
    count ? `adapted on ${count} utterance${count === 1 ? "" : "s"}` : "not adapted yet",
  announced: (emotion: string, sure: string): string => `${emotion}, ${sure}`,

  probabilities: "How probable",
  threshold: (share: number): string => `uncertain below ${percent(share)}`,
  why: "Why",
  whyBelow: (label: string): string => `what spoke for ${label}, and what against it, in log-odds`,
  families: {
    mfcc: "timbre (MFCC)",
    mel: "bands (mel)",
    chroma: "notes (chroma)",
    contrast: "clearness (contrast)",
    tonnetz: "harmony (tonnetz)",
    prosody: "melody (prosody)",
    speech: "speech (network)",
  } as Readonly<Record<string, string>>,
  voiceWorking: "Hearing the voice …",
  voiceLate: "So much was heard at once that there was no time for what is heard in this voice.",
  voice: "What is heard in the voice",
  asUsual: (names: string): string => `as usual: ${names}`,
  otherVerdict: (names: string, label: string): string => `with ${names} as usual the verdict would be ${label}`,
  nothingUnusual: (label: string): string =>
    `nothing in this voice is far from usual, so nothing of it says why ${label}`,
  figures: "The figures",
  figuresOf: ["aspect", "here", "usual", "unit"],
  given: "What the network was given",
  total: (base: string, value: string): string => `Together they move the log-odds from ${base} to ${value}, exactly.`,
  when: "When",
  attention: "The bars show where the network looked.",
  moments: (label: string): string => `Above the line a moment spoke for ${label}, below it against.`,
  whenPicture: (label: string, from: number, to: number): string =>
    `Waveform, spectrogram and moments; ${label} lies most between ${from.toFixed(1)} and ${to.toFixed(1)} s`,
  closer: "Look closer",
  closerWorking: "Looking …",
  closerGone: "This utterance is too long ago to look closer: only the last dozen can be.",
  features: "Single features",
  featuresBelow: "the strongest; each alone is set to the baseline",
  others: "all others",

  session: "Session",
  empty: "What is heard appears here, newest last.",
  count: (count: number): string => `${count} utterance${count === 1 ? "" : "s"}`,
  timeline: "Utterances in order of time",
  exportJson: "JSON",
  exportCsv: "CSV",
  share: "Share picture",
  clear: "Clear",
  shareTitle: "How it sounded",
  pictureFooter: "heard on the device by affectd; a hint, never a fact",

  settings: "Settings",
  close: "Close",
  adapt: "Adapt to this voice",
  adaptHelp: "Learns what is usual for the voices heard since the page was opened, without storing it.",
  forget: "Forget what was learnt",
  forgotten: "What was learnt of the voices is forgotten.",
  whole: "Take a file as one utterance",
  wholeHelp: "Without the search for speech; at most a minute.",
  voices: "Say what is heard in a voice",
  voicesHelp: "Its pitch, loudness, tempo and more, after each verdict. It takes several times the verdict's work.",
  theme: "Colours",
  themes: { auto: "as the system", light: "light", dark: "dark" } as Readonly<Record<string, string>>,
  about: (version: string, bundle: string, digest: string): string =>
    `affectd ${version}, model ${bundle} (${digest.slice(7, 19)})`,
  licences: "Licences",

  node: "As a sensor",
  nodeHelp:
    "Publishes what is heard to your MQTT broker as affectd/<node>, while this page is open. Nothing is kept for later: a closed tab loses what it hears.",
  nodeElsewhere:
    "This page cannot connect to anything, its security policy forbids it. The sensor's page may connect to a broker:",
  nodeOpen: "Open the sensor's page",
  broker: "Broker",
  brokerHelp: "wss://…",
  nodeName: "Node",
  user: "User",
  password: "Password (not stored)",
  connect: "Connect",
  disconnect: "Disconnect",
  connecting: "Connecting …",
  connected: (topic: string): string => `Connected: publishes under ${topic}.`,
  disconnected: "Not connected.",
  brokerLost: (reason: string): string =>
    `The broker cannot be reached (${reason}): it is tried again; check the address and that it speaks websockets.`,
  badBroker: "The broker's address begins with ws:// or wss://, for example wss://broker.example:8884.",
  insecureBroker: "A page that came over https may only use wss://: give the broker a certificate.",
  badNode: "A node's name has 1 to 40 characters of a-z, 0-9, - and _.",

  problems: {
    denied:
      "The browser does not let this page use the microphone: allow it in the settings of this site, then press the button again.",
    absent: "No microphone was found: plug one in, or choose a file.",
    busy: "The microphone does not open: another program may hold it. Close that, then press the button again.",
    unsupported: "This browser cannot hand sound to a page: use a current Chrome, Firefox or Safari, or choose a file.",
    lost: "The microphone was disconnected: plug it in, then press the button again.",
    deaf: (count: number, background: boolean): string =>
      `${background ? "The page was in the background and" : "The page"} heard nothing for ${seconds(count)}.`,
    nobody: "Nobody spoke in these ten seconds.",
    nobodyInFile: (name: string): string => `Nobody speaks in ${name}.`,
    noAudio: (name: string): string =>
      `${name} is no sound that this browser can read: choose a WAV, MP3, M4A, OGG or FLAC file.`,
    emptyFile: (name: string): string => `${name} holds no sound: choose another file.`,
    longFile: (name: string, minutes: number, most: number): string =>
      `${name} lasts ${minutes} minutes, and the page takes at most ${most}: cut it, or use \`affectd analyse\` on a computer.`,
    longWhole: (name: string, most: number): string =>
      `${name} is longer than the ${most} s that one utterance may last: switch off "Take a file as one utterance".`,
    shortWhole: (name: string, least: number): string =>
      `${name} is shorter than ${least} s: there is nothing to hear in it.`,
    missing: (what: string): string =>
      `This browser lacks ${what}, which the page needs: use a current Chrome, Firefox or Safari.`,
    insecure:
      "Browsers give the microphone only to pages that came over https or from this computer: open the page there, or choose a file.",
    model: (reason: string): string => `The model cannot be used (${reason}): reload the page.`,
    share: "The picture could not be shared: it was downloaded instead.",
  },
} as const;

/** An emotion's name; one that is not in the list is its own. */
export function emotionName(label: string): string {
  return texts.emotions[label] ?? label;
}

/** A family's name; one that is not in the list is its own. */
export function familyName(family: string): string {
  return texts.families[family] ?? family;
}
