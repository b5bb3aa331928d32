/**
 * What guessing gains, from the benchmarks that measure it: scripts/bench-speculation.ts
 * on the bundled pair, and scripts/bench-cpu.ts for the cost of k + 1 rows on the
 * shape of 494M parameters. Each runs in a process of its own.
 */
import { spawn } from "node:child_process";
import { existsSync } from "node:fs";
import { projectPath } from "../../models/weights/project-files.ts";
import { bundledFolder } from "./cpu-world.ts";
import type { Proof, Report } from "./proof.ts";

const DRAFT_GAIN = 1.3;
const COPY_GAIN = 2;
const ADAPTIVE_FLOOR = 0.97;
const GUESSES = 4;

export const prove: Proof = async (report) => {
  const pair = existsSync(projectPath("models", "bundled", "trainyard-tiny"));
  const target = bundledFolder();
  const text = await run(report, "bench-speculation.ts", ["--model", target]);
  const story = text.split("one stream, a copy-heavy prompt")[0] ?? "";
  const copy = (text.split("one stream, a copy-heavy prompt")[1] ?? "").split("sixteen")[0] ?? "";
  const sixteen = text.split("sixteen streams")[1] ?? "";
  if (pair) atLeast(report, "draft_model, one stream", gain(story, "draft_model"), DRAFT_GAIN);
  else report.line("draft_model is not judged: the larger bundled model is not there.");
  atLeast(report, "ngram, copy-heavy prompt", gain(copy, "ngram"), COPY_GAIN);
  for (const method of ["draft_model", "ngram"]) {
    atLeast(report, `${method}, 16 streams, adaptive`, gain(sixteen, method), ADAPTIVE_FLOOR);
  }
  const cpu = await run(report, "bench-cpu.ts", ["--model", "494m", "--draft", String(GUESSES)]);
  const one = milliseconds(cpu, "1");
  const more = milliseconds(cpu, `1+${GUESSES}`);
  const rows = more / one;
  const implied = [0.5, 0.7, 0.9].map((rate) => {
    const ids = (1 - rate ** (GUESSES + 1)) / (1 - rate);
    return `${(ids / rows).toFixed(2)}x at ${100 * rate} % held`;
  });
  report.line(
    `494M, int4: ${GUESSES + 1} rows cost ${rows.toFixed(2)} times one (${more.toFixed(1)} and ${one.toFixed(1)} ms); ` +
      `speed-up implied, guesses free: ${implied.join(", ")}`,
  );
};

function atLeast(report: Report, what: string, seen: number, least: number): void {
  report.claim(`${what}: at least ${least}x`, seen >= least, `${seen.toFixed(2)}x`);
}

/** The factor that stands in a method's line. */
function gain(text: string, method: string): number {
  return Number(new RegExp(`^ +${method} .* ([\\d.]+)x`, "m").exec(text)?.[1]);
}

function milliseconds(text: string, rows: string): number {
  return Number(new RegExp(`^ *${rows.replace("+", "\\+")} +([\\d.]+)`, "m").exec(text)?.[1]);
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
