/**
 * Starts a child process whose entry is a module of ours, from source (then tsx is
 * registered first) or compiled. It never keeps this process alive by itself.
 */
import { type ChildProcess, fork } from "node:child_process";
import { createRequire } from "node:module";
import { fileURLToPath, pathToFileURL } from "node:url";

/** Is this file run from its source? */
const FROM_SOURCE = import.meta.url.endsWith(".ts");

/** `entry` is a sibling of `base` without its extension, e.g. `./encoder-child`. Messages are structured clones. */
export function startChild(entry: string, base: string): ChildProcess {
  const url = new URL(`${entry}${FROM_SOURCE ? ".ts" : ".js"}`, base);
  const register = () => pathToFileURL(createRequire(import.meta.url).resolve("tsx")).href;
  return fork(fileURLToPath(url), {
    execArgv: FROM_SOURCE ? ["--import", register()] : [],
    serialization: "advanced",
    stdio: ["ignore", "ignore", "ignore", "ipc"],
  });
}
