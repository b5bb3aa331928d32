/** `trainyard sweep`: the curve of a system, in virtual time or from a live server. */
import { performance } from "node:perf_hooks";
import { parseSweep } from "./flags.ts";
import { sweepTable, sweepTerminal } from "./print.ts";
import { sweep } from "./sweep.ts";

export async function run(argv: readonly string[]): Promise<number> {
  const print = (text: string): void => void process.stdout.write(text);
  const options = parseSweep(argv, print);
  const { flags, workload } = options;
  const started = performance.now();
  const outcome = await sweep(options, (point) => {
    if (!flags.quiet) {
      process.stderr.write(
        `${point.series} · ${point.concurrency} users: ${point.outputThroughput.toFixed(0)} tokens/s${point.failed > 0 ? `, ${point.failed} of ${point.requests} requests failed` : ""}\n`,
      );
    }
  });
  for (const reason of outcome.refused) process.stderr.write(`Refused: ${reason}\n`);
  if (outcome.points.length === 0) return 1;
  let files: readonly string[] = [];
  if (flags.out !== undefined) {
    // The drawing libraries take half a second to load: only when something is drawn.
    const { writeReport } = await import("../../report/write.ts");
    files = await writeReport(flags.out, {
      title: `${options.models.length > 2 ? `${options.models.length} models` : options.models.join(", ")}: users against tokens/s/user`,
      command: options.shown,
      points: outcome.points,
      notes: [
        `Lengths in [${workload.ratio}·L, L]; ${workload.requestsPerUser} requests a user after ${workload.warmupsPerUser} warm-ups a user; prompts distinct; seed ${workload.seed}.`,
        ...outcome.refused.map((reason) => `Refused: ${reason}`),
        ...(outcome.incomplete > 0
          ? [`Some requests failed at ${outcome.incomplete} points, which are not kept.`]
          : []),
      ],
    });
  }
  print(`${sweepTable(outcome.points)}\n`);
  if (flags.chart) print(`\n${sweepTerminal(outcome.points)}\n`);
  const seconds = (performance.now() - started) / 1000;
  const clock = flags.url === undefined ? "virtual time" : "real time";
  print(
    `\n${outcome.points.length} points in ${seconds.toFixed(1)} s (${clock}${outcome.resumed > 0 ? `, ${outcome.resumed} read back` : ""}).\n`,
  );
  if (files.length > 0 && !files.some((path) => path.endsWith(".html"))) {
    process.stderr.write("No report.html: the pages are not built (npm run build).\n");
  }
  print(
    files.length > 0
      ? `${files.join("\n")}\n`
      : "--out FOLDER writes the report: HTML, SVG, PNG, CSV, JSON.\n",
  );
  return outcome.refused.length > 0 || outcome.incomplete > 0 ? 3 : 0;
}
