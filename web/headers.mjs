// The headers that the page is served with.

/** The page's Content-Security-Policy; the sensor's page alone may open websockets, to the broker. */
export function policy(sensor) {
  return [
    "default-src 'none'",
    "script-src 'self' 'wasm-unsafe-eval'",
    "worker-src 'self'",
    "style-src 'self'",
    "img-src 'self'",
    "media-src blob:", // a chosen file, to learn its length
    `connect-src 'self'${sensor ? " ws: wss:" : ""}`,
    "manifest-src 'self'",
    "base-uri 'none'",
    "form-action 'none'",
  ].join("; ");
}

/** All headers of a file; a name in `assets/` changes with its content. */
export function headers(path) {
  return {
    "Content-Security-Policy": `${policy(path.endsWith("/node.html"))}; frame-ancestors 'none'`,
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Embedder-Policy": "require-corp",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Permissions-Policy": "microphone=(self), camera=(), geolocation=()",
    "Referrer-Policy": "no-referrer",
    "X-Content-Type-Options": "nosniff",
    "Cache-Control": path.includes("/assets/") ? "public, max-age=31536000, immutable" : "no-cache",
  };
}
