/**
 * Starts a worker thread whose entry is a module of ours. Node 20 cannot load
 * TypeScript in a worker, under tsx and vitest alike: there an evaluated script
 * registers tsx first. Compiled, the entry is started as it is.
 */
import { createRequire } from "node:module";
import { fileURLToPath, pathToFileURL } from "node:url";
import { type ResourceLimits, Worker } from "node:worker_threads";
import { entryOf } from "../models/weights/project-files.ts";

/** `entry` is a sibling module of `base` without its extension, e.g. `./rank`. */
export function startThread(
  entry: string,
  base: string,
  workerData: unknown,
  resourceLimits: ResourceLimits = {},
): Worker {
  const { url, source } = entryOf(entry, base);
  if (!source) return new Worker(fileURLToPath(url), { workerData, resourceLimits });
  // `require` resolves to the CommonJS build; beside it lies the one to import.
  const resolved = createRequire(import.meta.url).resolve("tsx/esm/api");
  const tsx = pathToFileURL(resolved.replace(/\.cjs$/, ".mjs")).href;
  const code = `import(${JSON.stringify(tsx)}).then(({ register }) => { register(); return import(${JSON.stringify(url.href)}); });`;
  return new Worker(code, { eval: true, execArgv: [], workerData, resourceLimits });
}
