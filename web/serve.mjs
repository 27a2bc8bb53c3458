// Serves the built page on this computer: `node serve.mjs --folder DIR --port N`.

import { createReadStream, statSync } from "node:fs";
import { createServer } from "node:http";
import { extname, join, normalize } from "node:path";
import { fileURLToPath } from "node:url";
import { parseArgs } from "node:util";
import { headers } from "./headers.mjs";

const TYPES = {
  ".html": "text/html; charset=utf-8", ".js": "text/javascript; charset=utf-8", ".css": "text/css; charset=utf-8", ".png": "image/png",
  ".svg": "image/svg+xml", ".txt": "text/plain; charset=utf-8", ".webmanifest": "application/manifest+json", ".bin": "application/octet-stream",
};

const { values: options } = parseArgs({
  options: { folder: { type: "string", default: fileURLToPath(new URL("dist", import.meta.url)) }, port: { type: "string", default: "8000" } },
});

const server = createServer((request, response) => {
  const { pathname } = new URL(request.url, "http://localhost");
  const path = normalize(decodeURIComponent(pathname.endsWith("/") ? `${pathname}index.html` : pathname));
  const file = join(options.folder, path);
  const found = statSync(file, { throwIfNoEntry: false });
  if (!found?.isFile() || path.includes("..")) {
    response.writeHead(404, { "Content-Type": "text/plain" }).end("There is no such file.\n");
    return;
  }
  const type = TYPES[extname(file)] ?? "application/octet-stream";
  response.writeHead(200, { ...headers(path), "Content-Type": type, "Content-Length": found.size });
  createReadStream(file).pipe(response);
});
server.listen(Number(options.port), "localhost", () => console.log(`http://localhost:${server.address().port}`));
