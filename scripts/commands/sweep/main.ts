/** `trainyard sweep`: the curve of a system, in virtual time or from a live server. */
import { performance } from "node:perf_hooks";
import { parseSweep } from "./flags.ts";
import { sweepTable, sweepTerminal } from "./print.ts";
import { sweep } from "./sweep.ts";

export async function run(argv: readonly string[]): Promise<number> {
  const print = (text: string): void => void process.stdout.write(text);
  const options = parseSweep(argv, print);
  const started = performance.now();
  const outcome = await sweep(options, (point) => {
    if (!options.quiet) {
      process.stderr.write(
        `${point.series} · ${point.concurrency} users: ${point.outputThroughput.toFixed(0)} tokens/s\n`,
      );
    }
  });
  for (const reason of outcome.refused) process.stderr.write(`Refused: ${reason}\n`);
  if (outcome.points.length === 0) return 1;
  let files: readonly string[] = [];
  if (options.out !== undefined) {
    // The drawing libraries take half a second to load: only when something is drawn.
    const { writeReport } = await import("../../report/write.ts");
    files = await writeReport(options.out, {
      title: `${options.models.join(", ")}: users against tokens/s/user`,
      command: `trainyard sweep ${argv.join(" ")}`,
      points: outcome.points,
      notes: [
        `Lengths in [${options.workload.ratio}·L, L]; ${options.workload.requestsPerUser} requests a user after ${options.workload.warmupsPerUser} warm-ups a user; prompts distinct; seed ${options.workload.seed}.`,
        ...outcome.refused.map((reason) => `Refused: ${reason}`),
      ],
    });
  }
  print(`${sweepTable(outcome.points)}\n`);
  if (options.chart) print(`\n${sweepTerminal(outcome.points)}\n`);
  const seconds = (performance.now() - started) / 1000;
  const clock = options.url === undefined ? "virtual time" : "real time";
  print(
    `\n${outcome.points.length} points in ${seconds.toFixed(1)} s (${clock}${outcome.resumed > 0 ? `, ${outcome.resumed} read back` : ""}).\n`,
  );
  print(
    files.length > 0
      ? `${files.join("\n")}\n`
      : "--out FOLDER writes the report: HTML, SVG, PNG, CSV, JSON.\n",
  );
  return outcome.refused.length > 0 ? 3 : 0;
}
