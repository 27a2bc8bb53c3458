/** What the person chose, kept by the browser: the one thing that this page stores. */

export interface Settings {
  readonly adapt: boolean;
  readonly whole: boolean;
  readonly voices: boolean;
  readonly theme: "auto" | "light" | "dark";
  readonly broker: string;
  readonly node: string;
  readonly user: string;
}

const KEY = "affectd.settings";
const DEFAULTS: Settings = {
  adapt: true,
  whole: false,
  voices: true,
  theme: "auto",
  broker: "",
  node: "phone",
  user: "",
};

/** The stored settings; defaults for what is missing, damaged, or where the browser stores nothing. */
export function stored(): Settings {
  try {
    const found = JSON.parse(localStorage.getItem(KEY) ?? "{}") as Record<string, unknown>;
    const known = Object.entries(DEFAULTS).map(([name, value]) => [
      name,
      typeof found[name] === typeof value ? found[name] : value,
    ]);
    return Object.fromEntries(known) as unknown as Settings;
  } catch {
    return DEFAULTS;
  }
}

/** Keeps them, where the browser does. */
export function store(settings: Settings): void {
  try {
    localStorage.setItem(KEY, JSON.stringify(settings));
  } catch {
    // a private window may store nothing: the settings then last as long as the page
  }
}
