/** `trainyard bench`: `serve` loads a server over HTTP, `replay` replays a trace. */
import { untilInterrupted } from "../../load/interrupt.ts";
import { UsageError } from "../../usage.ts";
import { parseBench } from "./flags.ts";
import { benchServe } from "./serve.ts";
import { resultTable } from "./table.ts";

const USAGE = `Usage: trainyard bench <serve|replay> [flags]

  serve    load an OpenAI-compatible server; flags and result of \`vllm bench serve\`
  replay   replay a trace (Azure, Mooncake, BurstGPT, Bailian, ServeGen, tool loops),
           in virtual time on a simulated device or over HTTP

Each has --help.
`;

export async function run(argv: readonly string[]): Promise<number> {
  const [command, ...rest] = argv;
  switch (command) {
    case "serve":
      return serve(rest);
    case "replay":
      return (await import("../replay/main.ts")).run(rest);
    case undefined:
    case "--help":
    case "-h":
      process.stdout.write(USAGE);
      return command === undefined ? 2 : 0;
    default:
      throw new UsageError(`"${command}" is not a benchmark; known: serve, replay.`);
  }
}

async function serve(argv: readonly string[]): Promise<number> {
  const options = parseBench(argv, (text) => void process.stdout.write(text));
  const outcome = await untilInterrupted((signal) => benchServe(options, signal));
  const { metrics, run, notices } = outcome;
  const found = notices.map(({ code, text }) => `! ${code}: ${text}\n`).join("");
  if (metrics.completed === 0) {
    process.stderr.write(found === "" ? "No request came to an end.\n" : found);
    return run.interrupted ? 130 : 1;
  }
  process.stdout.write(
    `${resultTable({
      metrics,
      latencies: options.latencies,
      requestRate: options.requestRate,
      lateness: run.lateness,
      ...(options.maxConcurrency === undefined ? {} : { maxConcurrency: options.maxConcurrency }),
      ...(outcome.speculation === undefined ? {} : { speculation: outcome.speculation }),
    })}\n${found}`,
  );
  if (outcome.file !== undefined) process.stdout.write(`${outcome.file}\n`);
  return run.interrupted ? 130 : 0;
}
