/**
 * What guessing gains, from the benchmarks that measure it: scripts/maintain/bench/speculation.ts
 * on the bundled pair, and scripts/maintain/bench/cpu.ts for the cost of k + 1 rows on the
 * shape of 494M parameters and what it allows. Each runs in a process of its own.
 */
import { spawn } from "node:child_process";
import { existsSync } from "node:fs";
import { projectPath } from "../../../models/weights/project-files.ts";
import { bundledFolder } from "./cpu-world.ts";
import type { Proof, Report } from "./proof.ts";

const DRAFT_GAIN = 1.3;
const COPY_GAIN = 2;
const ADAPTIVE_FLOOR = 0.97;

export const prove: Proof = async (report) => {
  const pair = existsSync(projectPath("models", "bundled", "trainyard-tiny"));
  const target = bundledFolder();
  const text = await run(report, "bench-speculation.ts", ["--model", target]);
  const [card = "", rest = ""] = text.split("one stream, texts to repeat");
  const [repeat = "", sixteen = ""] = rest.split("sixteen streams");
  if (pair) atLeast(report, "draft_model, one stream", gain(card, "draft_model"), DRAFT_GAIN);
  else report.line("draft_model is not judged: the larger bundled model is not there.");
  atLeast(report, "ngram, texts to repeat", gain(repeat, "ngram"), COPY_GAIN);
  for (const method of ["draft_model", "ngram"]) {
    atLeast(report, `${method}, 16 streams, adaptive`, gain(sixteen, method), ADAPTIVE_FLOOR);
  }
  await run(report, "bench-cpu.ts", ["--model", "494m"]);
};

function atLeast(report: Report, what: string, seen: number, least: number): void {
  report.claim(`${what}: at least ${least}x`, seen >= least, `${seen.toFixed(2)}x`);
}

/** The factor that stands in a method's line. */
function gain(text: string, method: string): number {
  return Number(new RegExp(`^ +${method} .* ([\\d.]+)x`, "m").exec(text)?.[1]);
}

function run(report: Report, script: string, argv: readonly string[]): Promise<string> {
  const path = projectPath("scripts", script);
  const child = spawn(process.execPath, ["--import", "tsx", path, ...argv]);
  let text = "";
  child.stdout.on("data", (data: Buffer) => {
    text += data.toString();
  });
  child.stderr.on("data", (data: Buffer) => {
    text += data.toString();
  });
  return new Promise((resolve, reject) => {
    child.on("error", reject);
    child.on("exit", (code) => {
      for (const line of text.trimEnd().split("\n")) report.line(line);
      if (code === 0) resolve(text);
      else reject(new Error(`${script} ended with ${code}.`));
    });
  });
}
