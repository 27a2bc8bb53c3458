/** The service worker: keeps the page's own files, so that it opens without a network. */

declare const VERSION: string;
declare const FILES: readonly string[];

interface ExtendableEvent extends Event {
  waitUntil(promise: Promise<unknown>): void;
}

interface FetchEvent extends ExtendableEvent {
  readonly request: Request;
  respondWith(response: Promise<Response>): void;
}

const CACHE = `affectd-${VERSION}`;

self.addEventListener("install", (event) => {
  (event as ExtendableEvent).waitUntil(caches.open(CACHE).then((cache) => cache.addAll(FILES)));
});

self.addEventListener("activate", (event) => {
  const old = caches.keys().then((names) => Promise.all(names.filter((name) => name !== CACHE).map((name) => caches.delete(name))));
  (event as ExtendableEvent).waitUntil(old);
});

self.addEventListener("fetch", (event) => {
  const { request } = event as FetchEvent;
  if (request.method === "GET") (event as FetchEvent).respondWith(answer(request));
});

/** From the cache whatever is in it; the rest, which nothing asks for, from the network. */
async function answer(request: Request): Promise<Response> {
  const cache = await caches.open(CACHE);
  const found = await cache.match(request, { ignoreSearch: true });
  return found ?? fetch(request);
}
