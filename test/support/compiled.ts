/**
 * The sources as JavaScript, compiled once before the first test into a folder of this run: what
 * threads and processes of the tests start from, as those of an installed package do.
 */
import { execFileSync } from "node:child_process";
import { mkdirSync, mkdtempSync, rmSync } from "node:fs";
import { join, resolve } from "node:path";

/** Read by models/weights/project-files.ts; inherited by the processes that run test files. */
const FOLDER = "TRAINYARD_COMPILED";

let made: string | undefined;

/** One for all projects of a run. */
export function setup(): void {
  if (process.env[FOLDER] !== undefined) return;
  mkdirSync(".cache", { recursive: true });
  made = mkdtempSync(resolve(".cache", "compiled-"));
  const tsc = [join("node_modules", "typescript", "bin", "tsc"), "-p", "tsconfig.build.json"];
  const flags = ["--outDir", made, "--declaration", "false", "--noCheck"];
  execFileSync(process.execPath, [...tsc, ...flags], { stdio: "inherit" });
  process.env[FOLDER] = made;
}

export function teardown(): void {
  if (made !== undefined) rmSync(made, { recursive: true, force: true });
}

/** The command as it is shipped. */
export const CLI = compiled("scripts/cli.js");

/** Path of a compiled module, from the project's folder. */
export function compiled(module: string): string {
  return join(process.env[FOLDER] ?? "", module);
}
