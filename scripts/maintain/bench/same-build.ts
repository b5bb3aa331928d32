/**
 * Two real runs of one build: does `compare` keep quiet? A server on the CPU, --runs sweeps
 * of it over HTTP, every two of them held against each other; tells how many measures
 * differ beyond what chance is said to move them by.
 *
 *     npx tsx scripts/maintain/bench/same-build.ts [--runs 3] [--users 1,2,4] [--requests-per-user 400]
 *
 * Wants a machine that nobody else uses: who shares it is no chance.
 */
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { parseArgs } from "node:util";
import { parseSweep } from "../../commands/sweep/flags.ts";
import { sweep } from "../../commands/sweep/sweep.ts";
import { comparePoints } from "../../report/compare-points.ts";
import type { Point } from "../../report/point.ts";
import { forkServer } from "./forked-server.ts";

const { values } = parseArgs({
  options: {
    runs: { type: "string", default: "3" },
    users: { type: "string", default: "1,2,4" },
    "requests-per-user": { type: "string", default: "400" },
  },
});

const say = (text: string): void => void process.stdout.write(`${text}\n`);

async function run(url: string, folder: string): Promise<readonly Point[]> {
  const argv = ["--url", url, "--concurrency", values.users, "--shape", "64/64", "--out", folder];
  const more = ["--requests-per-user", values["requests-per-user"], "--no-chart", "--quiet"];
  return (await sweep(parseSweep([...argv, ...more], say), () => {})).points;
}

const server = await forkServer(["models/tiny/llama", "--device", "cpu"]);
const folder = mkdtempSync(join(tmpdir(), "same-build-"));
await run(server.url, join(folder, "warm-up"));
const runs: (readonly Point[])[] = [];
for (let index = 0; index < Number(values.runs); index++) {
  runs.push(await run(server.url, join(folder, String(index))));
}
server.stop();
rmSync(folder, { recursive: true });
let all = 0;
let beyond = 0;
let short = 0;
runs.forEach((a, index) => {
  for (const [later, b] of runs.slice(index + 1).entries()) {
    for (const pair of comparePoints(a, b).pairs) {
      for (const measure of pair.measures) {
        all++;
        if (measure.noise === Number.POSITIVE_INFINITY) short++;
        if (!measure.differs) continue;
        beyond++;
        const percent = (share: number): string => `${(100 * share).toFixed(1)} %`;
        say(
          `  runs ${index} and ${index + later + 1}, ${pair.name}: ${measure.title} ${percent(measure.change)}, chance ${percent(measure.noise)}`,
        );
      }
    }
  }
});
say(
  `${beyond} of ${all} measures of ${runs.length} runs of one build differ beyond chance, ${short} were too short to tell.`,
);
process.exit(0);
