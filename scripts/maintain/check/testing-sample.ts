/**
 * The sample application's suite (test/sample) against this package as it is built: how many
 * tests pass, and in how long. `tsx scripts/maintain/check/testing-sample.ts`.
 */
import { spawnSync } from "node:child_process";
import { rmSync } from "node:fs";
import { sampleProject } from "./sample-project.ts";

const { folder, vitest } = sampleProject();
const began = performance.now();
const { stdout, status } = spawnSync(process.execPath, [vitest, "run", "--root", folder], {
  encoding: "utf8",
});
const seconds = (performance.now() - began) / 1000;
process.stdout.write(`${stdout}\n${seconds.toFixed(2)} s from start to end of the process\n`);
rmSync(folder, { recursive: true });
process.exitCode = status ?? 1;
