/**
 * Starts a child process whose entry is a module of ours, from source (then tsx is
 * registered first) or compiled. It never keeps this process alive by itself.
 */
import { type ChildProcess, fork } from "node:child_process";
import { createRequire } from "node:module";
import { fileURLToPath, pathToFileURL } from "node:url";
import { entryOf } from "../weights/project-files.ts";

/** `entry` is a sibling of `base` without its extension, e.g. `./encoder-child`. Messages are structured clones. */
export function startChild(entry: string, base: string): ChildProcess {
  const { url, source } = entryOf(entry, base);
  const register = () => pathToFileURL(createRequire(import.meta.url).resolve("tsx")).href;
  return fork(fileURLToPath(url), {
    execArgv: source ? ["--import", register()] : [],
    serialization: "advanced",
    stdio: ["ignore", "ignore", "ignore", "ipc"],
  });
}
